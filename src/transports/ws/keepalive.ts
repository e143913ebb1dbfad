import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { bytesRead } from './progress.js';

/** Ends a connection whose other side is gone without having said so. */
export class Keepalive {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #timer: NodeJS.Timeout | undefined;
  #heard = true;
  /** What had arrived by the last tick. Every byte counts: a pong waits behind a frame that takes its client longer. */
  #arrived = 0;

  /**
   * @param stream what the connection runs on
   * @param ms between two pings, in milliseconds: who says nothing at all for so long after one is gone; 0 never pings
   */
  constructor(socket: WebSocket, stream: Duplex, ms: number) {
    this.#socket = socket;
    this.#stream = stream;
    if (ms === 0) return;
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
    const arrived = bytesRead(this.#stream);
    if (arrived > this.#arrived) this.#heard = true;
    this.#arrived = arrived;
    // What it says while we do not listen cannot count against it; the ping still finds a connection that is gone.
    if (!this.#heard && !this.#socket.isPaused) {
      this.#socket.terminate();
      return;
    }
    this.#heard = false;
    this.#socket.ping();
  }
}
