import { setTimeout as sleep } from 'node:timers/promises';
import { AigesError } from '../core/errors.js';

/** How a link has ended. */
export interface Loss {
  readonly reason: AigesError;
  /** Whether the other side has ended it over a message that it does not take: one of those on their way. */
  readonly refused: boolean;
}

/** A way to where messages go, for as long as it lasts. */
export interface Link {
  /** Hands a message over, in the order of the calls. `taken` is called once the other side has it for good. */
  send(body: Uint8Array, taken: () => void): void;
  /** Resolves when the link has ended: what was not taken by then has to be sent again. Never rejects. */
  readonly lost: Promise<Loss>;
  /** Ends the link in good order where that is still possible. Never rejects. */
  close(): Promise<void>;
}

export interface DeliveryOptions {
  /** @throws AigesError `initFailed` with a text that says what to do */
  readonly connect: (signal: AbortSignal) => Promise<Link>;
  /** How often the other side refuses a message before it is given up. */
  readonly attempts: number;
  /** Messages, and bytes in them, that may wait before `full` asks for a pause. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Told why nothing can be sent, once for each reason. */
  readonly onTrouble: (reason: AigesError) => void;
  /** Told when it can again, and how many messages wait for it. */
  readonly onRestored: (waiting: number) => void;
}

export interface DeliveryCounts {
  readonly waiting: number;
  readonly delivered: number;
  readonly failed: number;
}

interface Message {
  readonly body: Uint8Array;
  /** Links that ended over a message while this one was on its way. */
  refusals: number;
  resolve(): void;
  reject(reason: AigesError): void;
}

/** What may be on its way unconfirmed. More would not be faster, and lies in memory twice. */
const maxSent = 256;
const maxSentBytes = 8 * 2 ** 20;

const firstPauseMs = 100;
const longestPauseMs = 5000;

/**
 * Sends messages in order, keeps each until the other side has taken it, and finds a new link when the old one ends.
 * A message that was on its way when a link ended is sent again, so it may arrive twice, but it does not get lost.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #waiting: Message[] = [];
  /** On their way, in order. */
  readonly #sent = new Set<Message>();
  /** Were on their way when a link ended, so any of them may be why: they go one at a time until they are through. */
  readonly #doubtful = new Set<Message>();
  readonly #closing = new AbortController();
  #bytes = 0;
  #sentBytes = 0;
  #delivered = 0;
  #failed = 0;
  /** Links that ended since the last message was taken. */
  #losses = 0;
  #link: Link | null = null;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  get counts(): DeliveryCounts {
    return { waiting: this.#waiting.length + this.#sent.size, delivered: this.#delivered, failed: this.#failed };
  }

  /** Whether as much waits as may. Nothing is refused even then: who publishes decides what to do about it. */
  get full(): boolean {
    return this.counts.waiting >= this.#options.waiting || this.#bytes >= this.#options.waitingBytes;
  }

  /** @throws AigesError `initFailed`, for there is no second try here: someone is there to read it */
  async start(): Promise<void> {
    this.#use(await this.#options.connect(this.#closing.signal));
  }

  /**
   * Resolves when the other side has the message, however long that takes.
   * @throws AigesError when it was given up, or was still here at `close()`
   */
  publish(body: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const message: Message = { body, refusals: 0, resolve, reject };
      this.#bytes += body.length;
      if (this.#closing.signal.aborted) {
        this.#giveUp(message, closed());
        return;
      }
      this.#waiting.push(message);
      this.#send();
    });
  }

  /** Ends the link; what nobody has taken by now is given up. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    const link = this.#link;
    this.#link = null;
    const left = [...this.#sent, ...this.#waiting.splice(0)];
    this.#sent.clear();
    for (const message of left) this.#giveUp(message, closed());
    await link?.close();
  }

  #use(link: Link): void {
    if (this.#closing.signal.aborted) {
      void link.close();
      return;
    }
    this.#link = link;
    void link.lost.then((loss) => {
      if (this.#link === link) this.#onLost(loss);
    });
    this.#send();
  }

  #send(): void {
    const link = this.#link;
    while (link !== null && this.#hasRoom()) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      this.#sent.add(message);
      this.#sentBytes += message.body.length;
      link.send(message.body, () => {
        if (this.#link === link) this.#onTaken(message);
      });
    }
  }

  #hasRoom(): boolean {
    if (this.#doubtful.size > 0) return this.#sent.size === 0;
    return this.#sent.size < maxSent && this.#sentBytes < maxSentBytes;
  }

  #onTaken(message: Message): void {
    if (!this.#sent.delete(message)) return;
    this.#doubtful.delete(message);
    this.#sentBytes -= message.body.length;
    this.#bytes -= message.body.length;
    this.#delivered++;
    this.#losses = 0;
    message.resolve();
    this.#send();
  }

  #onLost({ reason, refused }: Loss): void {
    this.#link = null;
    this.#losses++;
    const messages = [...this.#sent];
    this.#sent.clear();
    this.#sentBytes = 0;
    if (refused) for (const message of messages) message.refusals++;
    const [first] = messages;
    // Who was not alone is not known to be the one; and a connection that breaks says nothing about any of them.
    if (refused && messages.length === 1 && first !== undefined && first.refusals >= this.#options.attempts) {
      this.#doubtful.delete(first);
      this.#giveUp(first, reason);
    } else {
      this.#waiting.unshift(...messages);
      for (const message of messages) this.#doubtful.add(message);
    }
    void this.#reconnect(reason);
  }

  async #reconnect(lost: AigesError): Promise<void> {
    const { connect, onTrouble, onRestored } = this.#options;
    const { signal } = this.#closing;
    let reason = lost;
    let said = '';
    for (let tries = this.#losses; ; tries++) {
      if (reason.message !== said) onTrouble(reason);
      said = reason.message;
      await sleep(Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs), null, { signal }).catch(() => null);
      if (signal.aborted) return;
      try {
        const link = await connect(signal);
        this.#use(link);
        if (this.#link === link) onRestored(this.counts.waiting);
        return;
      } catch (error) {
        reason = AigesError.from(error);
      }
    }
  }

  #giveUp(message: Message, reason: AigesError): void {
    this.#bytes -= message.body.length;
    this.#failed++;
    message.reject(reason);
  }
}

function closed(): AigesError {
  return new AigesError('shuttingDown', { message: 'not delivered before the end' });
}
