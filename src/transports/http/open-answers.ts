import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { AigesError } from '../../core/errors.js';

/** Answers that have not ended, by the connection that they go to: a client may ask again before it has its answer. */
export class OpenAnswers {
  readonly #bySocket = new WeakMap<Duplex, Set<ServerResponse>>();
  readonly #refusals = new WeakMap<Duplex, AigesError>();

  /** Call `delete` when the answer has ended. */
  add(socket: Duplex, answer: ServerResponse): void {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) {
      known.add(answer);
      return;
    }
    const answers = new Set([answer]);
    this.#bySocket.set(socket, answers);
    // One listener for each connection, however many answers it gets.
    socket.once('close', () => {
      // Node.js tells the first of them alone; those that wait behind it would never end.
      for (const queued of answers) if (queued.socket === null) queued.destroy().emit('close');
    });
  }

  delete(socket: Duplex, answer: ServerResponse): void {
    this.#bySocket.get(socket)?.delete(answer);
  }

  /** Whether something else on this connection would be taken for an answer, or come in the middle of one. */
  has(socket: Duplex): boolean {
    return (this.#bySocket.get(socket)?.size ?? 0) > 0;
  }

  /** Whether the next thing on this connection answers a request that has not arrived as a whole. */
  canRefuse(socket: Duplex): boolean {
    const [first, ...more] = this.#bySocket.get(socket) ?? [];
    return first === undefined || (more.length === 0 && !first.req.complete && !first.headersSent);
  }

  /** Remembers what the request was answered with that has not arrived as a whole. */
  refuse(socket: Duplex, error: AigesError): void {
    this.#refusals.set(socket, error);
  }

  /** Why an answer does not reach its client: the one before it was a refusal, or the client has left. */
  whyLost(socket: Duplex): AigesError {
    return this.#refusals.get(socket) ?? new AigesError('cancelled');
  }
}
