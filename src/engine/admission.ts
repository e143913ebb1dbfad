import { AigesError } from '../core/errors.js';

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

interface Waiter {
  admit(permit: Permit): void;
  refuse(error: unknown): void;
}

/** Who may call the plugin now, who waits, and who is turned away. First come, first served. */
export class Admission {
  #running = 0;
  #closed = false;
  readonly #limits: AdmissionLimits;
  // A Set keeps insertion order and lets a waiter that gave up leave from the middle.
  readonly #waiting = new Set<Waiter>();
  readonly #idle: (() => void)[] = [];

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
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
    if (this.#running >= this.#limits.permits) throw new AigesError('noLicense');
    return this.#grant();
  }

  /**
   * Takes a permit, waiting in the queue for one if need be.
   * @throws AigesError `noLicense` when the queue is full, or the signal's reason when it aborts first
   */
  acquire(signal: AbortSignal): Promise<Permit> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#running < this.#limits.permits) return Promise.resolve(this.#grant());
    if (this.#waiting.size >= this.#limits.queue) {
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

  /** Refuses everyone from now on, those who wait included. Running calls are not touched. */
  close(): void {
    this.#closed = true;
    for (const waiter of [...this.#waiting]) waiter.refuse(closedError());
  }

  /** Resolves when no permit is out. Only meaningful after `close()`. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #grant(): Permit {
    this.#running++;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#running--;
        const [next] = this.#waiting;
        if (next !== undefined) next.admit(this.#grant());
        else if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
      },
    };
  }
}

function closedError(): AigesError {
  return new AigesError('shuttingDown');
}
