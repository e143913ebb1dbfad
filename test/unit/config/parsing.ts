import { resolve } from 'node:path';
import type { LoadedConfig } from '../../../src/config/config.js';
import { ConfigError } from '../../../src/config/config.js';
import { parseConfig } from '../../../src/config/parse.js';
import type { Surroundings } from '../../../src/config/plan.js';

/** Parses in a world with two interfaces, four cores and no files. */
export function parse(text: string, surroundings: Partial<Surroundings> = {}): LoadedConfig {
  return parseConfig(text, {
    source: 'aiges.toml',
    readFile: () => null,
    hasFile: () => false,
    realPath: (path) => resolve(path),
    cores: 4,
    interfaces: {
      lo: [{ family: 'IPv4', address: '127.0.0.1' }],
      eth0: [
        { family: 'IPv6', address: 'fe80::1' },
        { family: 'IPv4', address: '10.0.0.5' },
      ],
    },
    ...surroundings,
  });
}

/** The faults of a text that must not parse. */
export function fail(text: string, surroundings: Partial<Surroundings> = {}): readonly string[] {
  try {
    parse(text, surroundings);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error('expected a ConfigError but the text was accepted');
}
