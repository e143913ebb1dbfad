import { AigesError } from '../../core/errors.js';

/** A request that HTTP has a status of its own for: the form of it is not served, whatever it says. */
export class HttpRefusal extends AigesError {
  readonly status: number;

  /** @param detail what is wrong and what to do about it */
  constructor(status: 404 | 405 | 406 | 413 | 415, detail: string) {
    super('invalidOperation', { detail });
    this.status = status;
  }
}
