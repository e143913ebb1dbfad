import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Bytes of a ping or a pong of a client besides what is in it. */
const controlHeadBytes = 6;

/**
 * Sees that a client is in the middle of a frame, of which nothing is heard before it is complete. Pings and pongs are
 * not part of any.
 */
export class Progress {
  readonly #stream: Duplex;
  #controlBytes = 0;
  /** The most that has been seen: a part of a ping counts until the rest of it has come. */
  #seen: number;

  constructor(socket: WebSocket, stream: Duplex) {
    this.#stream = stream;
    this.#seen = this.#arrived;
    const control = (data: Buffer): void => {
      this.#controlBytes += controlHeadBytes + data.length;
    };
    socket.on('ping', control).on('pong', control);
  }

  /** Whether more has arrived since this was last asked. */
  made(): boolean {
    const arrived = this.#arrived;
    if (arrived <= this.#seen) return false;
    this.#seen = arrived;
    return true;
  }

  get #arrived(): number {
    return bytesRead(this.#stream) - this.#controlBytes;
  }
}

/** Everything that has arrived on a connection. */
export function bytesRead(stream: Duplex): number {
  return stream instanceof Socket ? stream.bytesRead : 0;
}
