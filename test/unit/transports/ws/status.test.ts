import { describe, expect, it } from 'vitest';
import { AigesError, type ErrorName } from '../../../../src/core/errors.js';
import { closeCode, closeReason } from '../../../../src/transports/ws/status.js';

describe('closeReason', () => {
  it.each([
    ['', 0],
    ['session timeout', 15],
    ['x'.repeat(123), 123],
    ['x'.repeat(124), 123],
    ['é'.repeat(62), 122],
    [`x${'é'.repeat(61)}`, 123],
    ['漢'.repeat(42), 123],
    [`xx${'漢'.repeat(42)}`, 122],
    ['😀'.repeat(31), 120],
  ])('of %j has %i bytes, all of them whole characters', (text, length) => {
    const reason = closeReason(text);
    expect(reason.length).toBe(length);
    expect(text.startsWith(new TextDecoder('utf-8', { fatal: true }).decode(reason))).toBe(true);
  });
});

describe('closeCode', () => {
  it.each<[ErrorName, number]>([
    ['undecodableFrame', 1000],
    ['inconvertibleBody', 1000],
    ['execFailed', 1000],
    ['timeout', 1000],
    ['sessionTimeout', 1008],
    ['idleTimeout', 1008],
    ['internal', 1011],
    ['pluginCrashed', 1011],
    ['noLicense', 1013],
    ['shuttingDown', 1001],
  ])('of %s is %i', (kind, code) => {
    expect(closeCode(new AigesError(kind))).toBe(code);
  });
});
