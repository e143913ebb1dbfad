import type { ClientSocket } from './client-socket.js';
import { IdleTimer } from './idle-timer.js';
import { closing } from './status.js';

export interface EchoLimits {
  readonly idleTimeoutMs: number;
  readonly maxUnsentBytes: number;
}

/** A connection for probes: `ping` is answered `pong`, everything else comes back as it is. */
export class Echo {
  readonly done = Promise.resolve();
  readonly #socket: ClientSocket;

  constructor(socket: ClientSocket, { idleTimeoutMs, maxUnsentBytes }: EchoLimits) {
    this.#socket = socket;
    const idle = new IdleTimer(
      idleTimeoutMs,
      () => false,
      () => {
        socket.close(closing.policy, 'time out');
      },
    );
    const stop = (): void => {
      idle.stop();
      socket.resume();
    };
    socket.on('closing', stop).on('close', stop).on('error', stop);
    socket.on('message', (data: Buffer, binary) => {
      idle.touch();
      const answer = !binary && data.toString() === 'ping' ? 'pong' : data;
      socket.send(answer, { binary }, () => {
        if (socket.isPaused && socket.bufferedAmount <= maxUnsentBytes) socket.resume();
      });
      if (socket.bufferedAmount > maxUnsentBytes) socket.pause();
    });
  }

  drain(): void {
    this.#socket.close(closing.goingAway);
  }

  fail(): void {
    this.drain();
  }

  cut(): void {
    this.#socket.terminate();
  }
}
