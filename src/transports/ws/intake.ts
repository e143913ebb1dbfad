export interface IntakeOptions<T> {
  /** Messages, and bytes of them, that may be inside. One is let in whatever its size. */
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly sizeOf: (message: T) => number;
  /** Lets a message in; `done` is called when it has left again. */
  readonly admit: (message: T, done: () => void) => void;
  /** Told when no more are to come, and when they may again. */
  readonly hold: () => void;
  readonly resume: () => void;
}

/**
 * Lets messages in at the pace at which they are used up. Tells the sender to stop when one has to wait; what comes
 * before it does waits here too.
 */
export class Intake<T> {
  readonly #options: IntakeOptions<T>;
  readonly #waiting: T[] = [];
  #messages = 0;
  #bytes = 0;
  #admitting = false;
  #held = false;

  constructor(options: IntakeOptions<T>) {
    this.#options = options;
  }

  /** Whether messages are inside or wait to be. */
  get busy(): boolean {
    return this.#messages > 0 || this.#waiting.length > 0;
  }

  push(message: T): void {
    this.#waiting.push(message);
    this.#admit();
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.length = 0;
  }

  #admit(): void {
    // A message that is used up at once comes back here.
    if (this.#admitting) return;
    this.#admitting = true;
    while (!this.#full) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      this.#letIn(message);
    }
    this.#admitting = false;
    // Not as soon as it is full: a sender that is read is a sender whose end is seen.
    const hold = this.#waiting.length > 0;
    if (hold === this.#held) return;
    this.#held = hold;
    if (this.#held) this.#options.hold();
    else this.#options.resume();
  }

  #letIn(message: T): void {
    const { sizeOf, admit } = this.#options;
    const bytes = sizeOf(message);
    this.#messages++;
    this.#bytes += bytes;
    let inside = true;
    admit(message, () => {
      if (!inside) return;
      inside = false;
      this.#messages--;
      this.#bytes -= bytes;
      this.#admit();
    });
  }

  get #full(): boolean {
    return this.#messages >= this.#options.maxMessages || this.#bytes >= this.#options.maxBytes;
  }
}
