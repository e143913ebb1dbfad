import { crashed, type WorkerThread } from './worker-thread.js';

/**
 * One call in a thread, from its beginning to its end. When nobody waits for it any more and it goes on for too long,
 * its thread is replaced: at once when that does not answer, because something in it loops; else as soon as
 * nothing is left in it that somebody waits for. Until then the call keeps what it holds. Its licence bounds how many
 * of them there can be: when they have taken all, nothing else is left. What holds no licence has `rounds`.
 */
export class CallWatch {
  readonly #thread: WorkerThread;
  readonly #limitMs: number;
  readonly #rounds: number;
  readonly #onOverdue: () => void;
  #round = 0;
  #timer: NodeJS.Timeout | undefined;
  #state: 'wanted' | 'left' | 'overdue' | 'ended' = 'wanted';

  /**
   * @param limitMs how long it may go on when nobody waits for it any more
   * @param rounds after so many times `limitMs` the thread is replaced whatever else is in it
   * @param onOverdue told once when it goes on for longer beside calls that somebody waits for
   */
  constructor(thread: WorkerThread, limitMs: number, rounds: number, onOverdue: () => void) {
    this.#thread = thread;
    this.#limitMs = limitMs;
    this.#rounds = rounds;
    this.#onOverdue = onOverdue;
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
    }, this.#limitMs);
  }

  #overdue(answered: boolean): void {
    const first = this.#state === 'left';
    if (first) this.#thread.wanted--;
    this.#state = 'overdue';
    this.#round++;
    if (!answered || this.#thread.wanted === 0 || this.#round >= this.#rounds) {
      void this.#thread.kill(
        crashed('it went on for longer than [plugin].execLimit with what nobody waits for any more'),
      );
      return;
    }
    if (first) this.#onOverdue();
    this.#look();
  }
}
