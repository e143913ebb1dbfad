import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { printable, root } from '../../../bench/places.js';

describe('printable', () => {
  it('gives a command that can be typed in the root of the repository', () => {
    const command = [process.execPath, join(root, 'build-bench/main.js'), '-H', 'te: trailers', `it's`];
    expect(printable(command)).toBe(`node build-bench/main.js -H 'te: trailers' 'it'\\''s'`);
  });
});
