import { AigesError } from '../core/errors.js';
import type { Signal } from '../core/signal.js';
import { Watchers } from './watchers.js';

/** The right to run one call. Held until plugin code has really returned. */
export interface Permit {
  /** Idempotent. */
  release(): void;
}

export interface AdmissionLimits {
  /** Calls that may run at the same time. */
  readonly permits: number;
  /** Calls that may wait for a permit. */
  readonly queue: number;
}

interface Limit {
  readonly permits: number;
}

interface Waiter {
  admit(permit: Permit): void;
  refuse(error: unknown): void;
}

/** Who may call the plugin now, who waits, and who is turned away. First come, first served. */
export class Admission {
  #running = 0;
  #closed = false;
  #permits: number;
  /** The limit that holds for good, then those that are being tried, in the order of the calls: the last one is in force. */
  readonly #limits: Limit[];
  readonly #queue: number;
  // A Set keeps insertion order and lets a waiter that gave up leave from the middle.
  readonly #waiting = new Set<Waiter>();
  /** Look whenever a permit has come back and nobody was waiting for it. */
  readonly #watchers = new Watchers();

  constructor(limits: AdmissionLimits) {
    this.#permits = limits.permits;
    this.#limits = [{ permits: limits.permits }];
    this.#queue = limits.queue;
  }

  /** Calls that may run at the same time. */
  get permits(): number {
    return this.#permits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Takes a permit or refuses at once, for clients that go to another node when told so.
   * @throws AigesError `noLicense`
   */
  tryAcquire(): Permit {
    if (this.#closed) throw closedError();
    if (this.#running >= this.#permits) throw new AigesError('noLicense');
    return this.#grant();
  }

  /**
   * Takes a permit, waiting in the queue for one if need be.
   * @throws AigesError `noLicense` when the queue is full, or the signal's reason when it aborts first
   */
  acquire(signal: Signal): Promise<Permit> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#running < this.#permits) return Promise.resolve(this.#grant());
    if (this.#waiting.size >= this.#queue) {
      return Promise.reject(
        new AigesError('noLicense', {
          message: `service license not enough: ${this.#running} running, ${this.#waiting.size} waiting`,
        }),
      );
    }
    return new Promise<Permit>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        waiter.refuse(signal.reason);
      };
      const waiter: Waiter = {
        admit: (permit) => {
          leave();
          resolve(permit);
        },
        refuse: (error) => {
          leave();
          reject(AigesError.from(error));
        },
      };
      signal.addEventListener('abort', onAbort);
      this.#waiting.add(waiter);
    });
  }

  /** Refuses everyone who comes from now on. Who runs and who waits by then has been let in, and is served. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when no permit is out and nobody waits for one. Only meaningful after `close()`. */
  idle(): Promise<void> {
    // Somebody waits only while permits are out, and has one before anybody looks.
    return this.#watchers.until(() => this.#running === 0);
  }

  /**
   * Changes how many calls may run. More may run at once; with fewer, nothing new is let in until enough have ended.
   * @param signal ends the wait for them; the limit is what it was before then
   * @throws the signal's reason
   */
  async resize(permits: number, signal: Signal): Promise<void> {
    const limit: Limit = { permits };
    this.#limits.push(limit);
    this.#useLastLimit();
    try {
      // What needs no time is done also where there is none: more may run at once.
      const reached = (): boolean => this.#running <= permits;
      if (!reached()) await this.#watchers.until(reached, signal);
      // It takes the place of those before it, unless one that came later has taken its own.
      const index = this.#limits.indexOf(limit);
      if (index > 0) this.#limits.splice(0, index);
    } catch (error) {
      const index = this.#limits.indexOf(limit);
      if (index > 0) this.#limits.splice(index, 1);
      this.#useLastLimit();
      throw error;
    }
  }

  #useLastLimit(): void {
    this.#permits = this.#limits.at(-1)?.permits ?? this.#permits;
    this.#admitWaiting();
  }

  #grant(): Permit {
    this.#running++;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#running--;
        this.#admitWaiting();
        this.#watchers.look();
      },
    };
  }

  #admitWaiting(): void {
    for (const waiter of [...this.#waiting]) {
      if (this.#running >= this.#permits) return;
      waiter.admit(this.#grant());
    }
  }
}

function closedError(): AigesError {
  return new AigesError('shuttingDown');
}
