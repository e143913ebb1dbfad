import { type ChannelModel, connect, type ConfirmChannel, credentials } from 'amqplib';
import { AigesError } from '../core/errors.js';
import type { Link, Loss } from './delivery.js';

export interface RabbitOptions {
  /** `amqp://host:port/vhost` or `amqps://…`, without user and password. */
  readonly url: string;
  /** `null`: the server's own default, which it takes from its own machine only. */
  readonly user: string | null;
  readonly password: string | null;
  readonly queue: string;
  /** Told what the server is troubled with while the link holds. */
  readonly onWarning: (text: string) => void;
}

/** How long the server may take for everything up to the queue. */
const connectMs = 10_000;
/** How long it may take to say goodbye. */
const closeMs = 1000;
/** Seconds; a server that cannot be heard for twice as long is gone. */
const heartbeat = 10;

/**
 * Opens a connection and declares the queue.
 * @throws AigesError `initFailed` naming the key and what to do; never with the password in it
 */
export async function connectRabbit(options: RabbitOptions, signal: AbortSignal): Promise<Link> {
  // Ends the socket in whatever state it is: the client library waits for the server on some of its ways out.
  const cut = new AbortController();
  const late = new Error(`no answer within ${connectMs / 1000} s`);
  const onAbort = (): void => {
    cut.abort();
  };
  const timer = setTimeout(() => {
    cut.abort(late);
  }, connectMs);
  signal.addEventListener('abort', onAbort);
  let step: Step = 'connection';
  try {
    signal.throwIfAborted();
    const socket = {
      // Given apart from the URL, where they could end up in a message; the library would also decode them as Latin-1.
      credentials: credentials.plain(
        options.user ?? 'guest',
        options.password ?? (options.user === null ? 'guest' : ''),
      ),
      clientProperties: { connection_name: 'aiges-ts' },
      noDelay: true,
      signal: cut.signal,
    };
    const connection = await connect(withHeartbeat(options.url), socket);
    const link = new RabbitLink(connection, cut, options);
    step = 'channel';
    const channel = await connection.createConfirmChannel();
    link.watch(channel);
    step = 'queue';
    await channel.assertQueue(options.queue, { durable: true, exclusive: false, autoDelete: false });
    return link;
  } catch (error) {
    cut.abort();
    throw explain(cut.signal.reason === late ? late : error, step, options);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Reply codes of AMQP for a connection that an operator ends, and for a fault of the server. */
const serverTroubles: ReadonlySet<number> = new Set([320, 541]);

type Step = 'connection' | 'channel' | 'queue';

class RabbitLink implements Link {
  readonly lost: Promise<Loss>;
  readonly #connection: ChannelModel;
  readonly #cut: AbortController;
  readonly #options: RabbitOptions;
  #channel: ConfirmChannel | null = null;
  #alive = true;
  #settle!: (loss: Loss) => void;

  constructor(connection: ChannelModel, cut: AbortController, options: RabbitOptions) {
    this.#connection = connection;
    this.#cut = cut;
    this.#options = options;
    this.lost = new Promise((resolve) => (this.#settle = resolve));
    connection.on('error', (error) => {
      this.#end(error, isRefusal(error));
    });
    connection.on('close', (error) => {
      this.#end(error ?? new Error('the server closed the connection'), isRefusal(error));
    });
    connection.on('blocked', (reason) => {
      options.onWarning(`the server takes no messages for now: ${reason}`);
    });
  }

  /** Follows a channel, which has a life of its own: a message that the server does not take ends it. */
  watch(channel: ConfirmChannel): void {
    this.#channel = channel;
    channel.on('error', (error) => {
      this.#end(error, isRefusal(error));
    });
    channel.on('close', () => {
      // With a connection its channels end first, and the reason is the connection's.
      setImmediate(() => {
        this.#end(new Error('the server closed the channel'), false);
      });
    });
    channel.on('nack', () => {
      this.#end(new Error('the server does not take the message'), true);
    });
    // Comes before the confirm of the same message, which would count it as taken.
    channel.on('return', () => {
      this.#end(new Error(`queue ${JSON.stringify(this.#options.queue)} is not there any more`), true);
    });
  }

  send(body: Uint8Array, taken: () => void): void {
    if (!this.#alive || this.#channel === null) return;
    const { queue } = this.#options;
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
    try {
      // Persistent: the queue is durable, and what it holds is to survive a restart as well. Mandatory: a message for
      // a queue that was deleted comes back instead of vanishing.
      this.#channel.sendToQueue(queue, bytes, { persistent: true, mandatory: true }, (error: unknown) => {
        if (error === null && this.#alive) taken();
      });
    } catch {
      // The channel has ended a moment ago, and says so itself.
    }
  }

  async close(): Promise<void> {
    this.#alive = false;
    const timer = setTimeout(() => {
      this.#cut.abort();
    }, closeMs);
    // Nothing to say goodbye to, or nobody who answers: the socket ends all the same.
    await Promise.race([this.#connection.close().catch(() => undefined), ended(this.#cut.signal)]);
    clearTimeout(timer);
    this.#cut.abort();
  }

  #end(error: unknown, refused: boolean): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#settle({ reason: explain(error, 'channel', this.#options), refused });
    // In this order, so that what the socket ends with is not taken for the reason.
    this.#cut.abort();
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}

function withHeartbeat(address: string): string {
  const url = new URL(address);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(heartbeat));
  return url.href;
}

/** Says in our own words what the library or the server said. The original is dropped: nobody knows what is in it. */
function explain(error: unknown, step: Step, options: RabbitOptions): AigesError {
  const text = textOf(error);
  // Before the connection is open the library leaves the code in the text.
  const code = replyCode(error) ?? Number(/^Handshake terminated by server: (\d{3}) /.exec(text)?.[1] ?? 0);
  const said = hide(/with message "(.*)"/s.exec(text)?.[1] ?? text, options.password);
  if (step === 'queue' && (code === 406 || code === 405)) {
    return failed(
      `[downAsync].rabQueue: ${JSON.stringify(options.queue)} exists with other properties than durable, not exclusive, no auto-delete; delete it or name another: ${said}`,
    );
  }
  if (step === 'queue' && (code === 403 || code === 404)) {
    return failed(`[downAsync].rabQueue: ${JSON.stringify(options.queue)} cannot be declared: ${said}`);
  }
  if (step === 'connection' && code === 403) {
    const who = options.user === null ? 'guest, which stands for no user' : JSON.stringify(options.user);
    return failed(`[downAsync].rabUser, rabPass: the server refuses ${who}: ${said}`);
  }
  // All that the library says about a virtual host is that another frame came than it had expected.
  if (step === 'connection' && text.startsWith('Expected ConnectionOpenOk; got <ConnectionClose')) {
    const path = new URL(options.url).pathname || '/';
    return failed(
      `[downAsync].rabHost: the server refuses the virtual host at the end of the address, ${path}: it is not there, or not for this user`,
    );
  }
  return unreachable(options, said);
}

function unreachable({ url }: RabbitOptions, reason: string): AigesError {
  return failed(`[downAsync].rabHost: no delivery through ${new URL(url).host}: ${reason}`);
}

function failed(message: string): AigesError {
  return new AigesError('initFailed', { message });
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  // Of a name with several addresses, each has failed for a reason of its own; the code sums it up.
  if (error.message !== '') return error.message;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

function replyCode(error: unknown): number | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
}

/** Whether the server has closed a channel or a connection over what we sent; not when it stops, is in trouble or cannot be heard. */
function isRefusal(error: unknown): boolean {
  const code = replyCode(error);
  return code !== null && !serverTroubles.has(code);
}

function hide(text: string, secret: string | null): string {
  return secret === null || secret === '' ? text : text.replaceAll(secret, '***');
}
