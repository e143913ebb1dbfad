import { AigesError } from '../../core/errors.js';

/** Memory for the bodies of all requests of a server. */
export class BodyMemory {
  #free: number;

  /** @param bytes that there are */
  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** @throws AigesError `noMemory` */
  take(bytes: number): void {
    if (bytes > this.#free) {
      throw new AigesError('noMemory', { detail: 'bodies of other requests fill [http].memory; try again later' });
    }
    this.#free -= bytes;
  }

  giveBack(bytes: number): void {
    this.#free += bytes;
  }
}

/** What the body of one request holds of that. It goes back with the last of its users; whoever makes it is the first. */
export class BodyHold {
  readonly #memory: BodyMemory;
  #bytes = 0;
  #users = 1;

  constructor(memory: BodyMemory) {
    this.#memory = memory;
  }

  /** @throws AigesError `noMemory` */
  take(bytes: number): void {
    this.#memory.take(bytes);
    this.#bytes += bytes;
  }

  /** For a plugin call that may outlive the answer. Pair it with `release`. */
  retain(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) this.drop();
  }

  /** There will be no body. */
  drop(): void {
    this.#memory.giveBack(this.#bytes);
    this.#bytes = 0;
  }
}
