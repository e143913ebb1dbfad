import { WebSocket } from 'ws';

/** A connection that says that its end has begun: its client has closed it, broken the rules, or we have closed it. */
export class ClientSocket extends WebSocket {
  // What the other side does arrives here too, long before "close" when it does not read what we have sent.
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.emit('closing');
  }
}
