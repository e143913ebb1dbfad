import type { ExpectedOutput } from '../../core/call.js';
import type { Frame, StringMap } from '../../core/frame.js';
import { expectedAttributes } from '../../engine/expect.js';
import { answerStatus, resultStatus } from '../../engine/service.js';
import type { OnceResponse } from './codec.js';

type Expect = readonly ExpectedOutput[] | null;

/** The answer of a one-shot call as a document. */
export function onceAnswer(frames: readonly Frame[], sid: string, expect: Expect): OnceResponse {
  return { sid, status: answerStatus(frames), payloads: frames.map((frame) => describe(frame, expect, 0)) };
}

/** The results of one stream as documents: each output counts its own from "1". */
export class StreamAnswers {
  readonly #sid: string;
  readonly #expect: Expect;
  readonly #counts = new Map<string, number>();

  constructor(sid: string, expect: Expect) {
    this.#sid = sid;
    this.#expect = expect;
  }

  next(frames: readonly Frame[]): OnceResponse {
    const payloads = frames.map((frame) => {
      const count = (this.#counts.get(frame.key) ?? 0) + 1;
      this.#counts.set(frame.key, count);
      return describe(frame, this.#expect, count);
    });
    return { sid: this.#sid, status: resultStatus(frames), payloads };
  }
}

/** What is said of an output: by the plugin, and by a client that wants it repeated. */
export function answerAttributes(frame: Frame, expect: Expect): Map<string, string> {
  return new Map([...frame.desc, ...(expectedAttributes(frame, expect) ?? [])]);
}

function describe(
  frame: Frame,
  expect: Expect,
  seq: number,
): { readonly frame: Frame; readonly attributes: StringMap } {
  const attributes = answerAttributes(frame, expect).set('seq', String(seq)).set('status', String(frame.status));
  return { frame, attributes };
}
