import type { WebSocket } from 'ws';

/** Ends a connection whose other side is gone without having said so. */
export class Keepalive {
  readonly #socket: WebSocket;
  readonly #timer: NodeJS.Timeout | undefined;
  #heard = true;

  /** @param ms between two pings, in milliseconds: who says nothing at all for so long after one is gone; 0 never pings */
  constructor(socket: WebSocket, ms: number) {
    this.#socket = socket;
    if (ms === 0) return;
    const hear = (): void => {
      this.hear();
    };
    socket.on('message', hear).on('ping', hear).on('pong', hear);
    this.#timer = setInterval(() => {
      this.#tick();
    }, ms);
  }

  /** Says that the other side is there. */
  hear(): void {
    this.#heard = true;
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    // A client that reads slowly would get the ping long after this. A session has an end of its own.
    if (this.#socket.bufferedAmount > 0) return;
    // What it says while we do not listen cannot count against it; the ping still finds a connection that is gone.
    if (!this.#heard && !this.#socket.isPaused) {
      this.#socket.terminate();
      return;
    }
    this.#heard = false;
    this.#socket.ping();
  }
}
