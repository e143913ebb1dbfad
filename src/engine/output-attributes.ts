import type { ExpectedOutput } from '../core/call.js';
import type { Frame } from '../core/frame.js';
import { expectedAttributes } from './expect.js';

/** The attributes of the results of one stream: what clients of every protocol find beside the data. */
export class StreamAttributes {
  readonly #expect: readonly ExpectedOutput[] | null;
  /** Results given so far, by output. */
  readonly #counts = new Map<string, number>();

  constructor(expect: readonly ExpectedOutput[] | null) {
    this.#expect = expect;
  }

  /** Those of the plugin, then those that the client asked for; `seq` counts the results of each output from 1. */
  next(frame: Frame): Map<string, string> {
    const count = (this.#counts.get(frame.key) ?? 0) + 1;
    this.#counts.set(frame.key, count);
    return frameAttributes(frame, this.#expect, count);
  }
}

/** The attributes of an output with this number. */
export function frameAttributes(
  frame: Frame,
  expect: readonly ExpectedOutput[] | null,
  seq: number,
): Map<string, string> {
  const attributes = new Map([...frame.desc, ...(expectedAttributes(frame, expect) ?? [])]);
  return attributes.set('seq', String(seq)).set('status', String(frame.status));
}
