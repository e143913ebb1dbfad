import { describe, expect, it } from 'vitest';
import { translateLegacy } from '../../../src/cli/legacy.js';

describe('translateLegacy', () => {
  it.each([
    [['-m=1'], '-m=1: the configuration centre is not offered'],
    [['-mnist'], '-mnist: there is no demo to download'],
    [['-q=1'], '-q: unknown flag'],
    [['-c'], '-c: expected a value'],
    [['-c=a', 'stray'], 'stray: expected a flag'],
  ])('refuses %j', (argv, message) => {
    expect(() => translateLegacy(argv)).toThrow(message);
  });

  it.each([[['serve', '-c', 'x']], [[]], [['--help']], [['-V']]])('leaves %j alone', (argv) => {
    expect(translateLegacy(argv)).toBeNull();
  });

  it.each([
    [
      ['-m=0', '-c=a.toml', '-s=svc'],
      ['serve', '--config', 'a.toml', '--service', 'svc'],
    ],
    [
      ['-m', '0', '--c', 'a.toml'],
      ['serve', '--config', 'a.toml'],
    ],
    [['-c=a=b.toml'], ['serve', '--config', 'a=b.toml']],
    [['-init'], ['init', '--keep']],
    [['-v'], ['--version']],
  ])('reads %j as %j', (argv, args) => {
    expect(translateLegacy(argv)).toEqual({ args, warnings: [] });
  });

  it('ignores what meant something to the platform only, and says so', () => {
    expect(translateLegacy(['-u=http://x', '-bvtSeq=1', '-plugin'])).toEqual({
      args: ['serve'],
      warnings: ['-u, -bvtSeq, -plugin: for the platform of the original, ignored'],
    });
  });
});
