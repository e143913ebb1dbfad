import type { Frame } from '../core/frame.js';
import type { Signal } from '../core/signal.js';

/** The frames of a request or of a packet, with a hold on the memory behind them. */
export interface Input {
  readonly frames: readonly Frame[];
  /** Nothing follows it in its stream, whichever inputs have ended. */
  readonly last?: boolean;
  /** Called once, when the plugin has returned and its input memory may go. */
  release(): void;
}

/**
 * Makes the frames of a request complete, where they only say where their bytes lie.
 * @returns the same array when there is nothing to do
 * @throws AigesError `invalidInput`, or the signal's reason
 */
export type Prepare = (frames: readonly Frame[], signal: Signal) => readonly Frame[] | Promise<readonly Frame[]>;
