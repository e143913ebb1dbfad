import type { ExpectedOutput } from '../core/call.js';
import { AigesError } from '../core/errors.js';
import type { Frame, StringMap } from '../core/frame.js';

/**
 * Checks that the client asked for what the plugin gave. null expects nothing in particular.
 * @param unknown the kind of error for an output that the request does not name; clients know two
 * @throws AigesError of that kind, or `outputTypeMismatch`
 */
export function checkExpected(
  frames: readonly Frame[],
  expect: readonly ExpectedOutput[] | null,
  unknown: 'outputNotExpected' | 'outputTypeMismatch',
): void {
  if (expect === null) return;
  for (const frame of frames) {
    const wanted = expect.find((output) => output.name === frame.key);
    if (wanted === undefined) {
      const names = expect.map((output) => `"${output.name}"`).join(', ');
      throw new AigesError(unknown, {
        detail: `the plugin gave output "${frame.key}", the request expects ${names || 'none'}`,
      });
    }
    if (wanted.type !== null && wanted.type !== frame.type) {
      throw new AigesError('outputTypeMismatch', {
        detail: `the plugin gave output "${frame.key}" as type ${frame.type}, the request expects type ${wanted.type}`,
      });
    }
  }
}

/** The attributes that the client wants repeated on an output; null when it did not name it. */
export function expectedAttributes(frame: Frame, expect: readonly ExpectedOutput[] | null): StringMap | null {
  return expect?.find((output) => output.name === frame.key)?.attributes ?? null;
}
