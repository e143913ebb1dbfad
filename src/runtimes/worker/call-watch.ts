import type { Call } from '../../core/call.js';
import { crashed, type WorkerThread } from './worker-thread.js';

/** What a thread works on. */
export type Work = Pick<Call, 'sid' | 'tag'> | { readonly resource: number };

/** What becomes of work that nobody waits for any more. */
export interface Patience {
  /** How long it may go on. */
  readonly limitMs: number;
  /** Told once when it goes on for longer beside work that somebody waits for. */
  readonly onOverdue: (work: Work) => void;
}

/** How many times the limit of a call a resource may take: no licence bounds how many of them there are. */
const resourceRounds = 10;

/**
 * One call in a thread, from its beginning to its end. When nobody waits for it any more and it goes on for too long,
 * its thread is replaced: at once when that does not answer, because something in it loops; else as soon as
 * nothing is left in it that somebody waits for. Until then the call keeps what it holds. Its licence bounds how many
 * of them there can be: when they have taken all, nothing else is left. For resources, which hold none, see
 * `resourceRounds`.
 */
export class CallWatch {
  readonly #thread: WorkerThread;
  readonly #patience: Patience;
  readonly #work: Work;
  #round = 0;
  #timer: NodeJS.Timeout | undefined;
  #state: 'wanted' | 'left' | 'overdue' | 'ended' = 'wanted';

  constructor(thread: WorkerThread, patience: Patience, work: Work) {
    this.#thread = thread;
    this.#patience = patience;
    this.#work = work;
    thread.wanted++;
  }

  /** Nobody waits for it any more. The thread is to have been told before. */
  leave(): void {
    if (this.#state !== 'wanted') return;
    this.#state = 'left';
    this.#look();
  }

  /** It has come to its end. Idempotent. */
  end(): void {
    clearTimeout(this.#timer);
    if (this.#state === 'wanted' || this.#state === 'left') this.#thread.wanted--;
    this.#state = 'ended';
  }

  /** Looks after it, again and again until it ends: what only waits now may loop later. */
  #look(): void {
    let answered = false;
    this.#thread.ping(() => (answered = true));
    this.#timer = setTimeout(() => {
      // The answer may have come while this thread was busy: messages that are there are read before the next turn.
      setImmediate(() => {
        if (this.#state !== 'ended') this.#overdue(answered);
      });
    }, this.#patience.limitMs);
  }

  #overdue(answered: boolean): void {
    const first = this.#state === 'left';
    if (first) this.#thread.wanted--;
    this.#state = 'overdue';
    this.#round++;
    const most = 'resource' in this.#work ? resourceRounds : Infinity;
    if (!answered || this.#thread.wanted === 0 || this.#round >= most) {
      void this.#thread.kill(
        crashed('it went on for longer than [plugin].execLimit with what nobody waits for any more'),
      );
      return;
    }
    if (first) this.#patience.onOverdue(this.#work);
    this.#look();
  }
}
