import type { Frame } from '../core/frame.js';

/** The frames of a request or of a packet, with a hold on the memory behind them. */
export interface Input {
  readonly frames: readonly Frame[];
  /** Called once, when the plugin has returned and its input memory may go. */
  release(): void;
}
