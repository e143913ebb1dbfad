import { describe, expect, it } from 'vitest';
import { describeJson, formatPath } from '../../../src/core/json.js';

describe('describeJson', () => {
  it.each<[unknown, string]>([
    ['a"b', '"a\\"b"'],
    [1.5, '1.5'],
    [null, 'null'],
    [false, 'false'],
    [[1], 'an array'],
    [{ a: 1 }, 'an object'],
    ['x'.repeat(41), `"${'x'.repeat(40)}…"`],
  ])('says what %j is', (value, text) => {
    expect(describeJson(value)).toBe(text);
  });
});

describe('formatPath', () => {
  it.each<[readonly string[], string]>([
    [[], ''],
    [['payload', 'img', 'status'], 'payload.img.status'],
    [['params', '0', 'name'], 'params[0].name'],
    [['header', 'device.imei'], 'header["device.imei"]'],
    [['payload', ''], 'payload[""]'],
    [['x'.repeat(41)], `["${'x'.repeat(40)}…"]`],
  ])('writes %j as %j', (keys, path) => {
    expect(formatPath(keys)).toBe(path);
  });
});
