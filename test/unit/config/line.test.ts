import { expect, test } from 'vitest';
import { escapeControls } from '../../../src/config/line.js';

test('what would break a line or steer a terminal is written out', () => {
  expect(escapeControls('a\nb\r\u001b[0m\u0085\u2028ü"\\')).toBe('a\\nb\\r\\u001b[0m\\u0085\\u2028ü"\\');
});
