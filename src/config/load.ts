import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { ConfigError, type LoadedConfig } from './config.js';
import { parseConfig } from './parse.js';
import { noFile } from './section.js';

export { ConfigError } from './config.js';
export type { LoadedConfig } from './config.js';

/** Taken from the working directory when no other is named. */
export const defaultPath = 'aiges.toml';

export interface LoadOptions {
  /** `null` takes ./aiges.toml if there is one, else the defaults. */
  readonly path: string | null;
  /** The service section, or one of [services], as given with -s. */
  readonly section?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `table.key=value` */
  readonly overrides?: readonly string[];
  /** Path of the plugin of the service that is asked for, over everything else. */
  readonly plugin?: string;
}

/**
 * Reads the config and everything that belongs to it.
 * @throws ConfigError naming every fault and how to mend it
 */
export function loadConfig({ path, section, env, overrides, plugin }: LoadOptions): LoadedConfig {
  const foreign: string[] = [];
  const read = (each: string): string | null => readText(each, foreign);
  const text = read(path ?? defaultPath);
  if (path !== null && text === null) {
    throw new ConfigError([`${path}: no such file; write a default one with "aiges-ts init", or name another with -c`]);
  }
  const { warnings, ...loaded } = parseConfig(text ?? '', {
    source: text === null ? noFile : (path ?? defaultPath),
    section,
    env,
    overrides,
    plugin,
    readFile: read,
    hasFile: existsSync,
    realPath,
    cores: availableParallelism(),
    interfaces: networkInterfaces(),
  });
  const hints = foreign.map((each) => `${each}: not UTF-8, letters outside of ASCII are lost; save it as UTF-8`);
  return { ...loaded, warnings: [...hints, ...warnings] };
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function readText(path: string, foreign: string[]): string | null {
  const bytes = readBytes(path);
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Old files have comments in the encodings of their time, and the original did not mind.
    foreign.push(path);
    return new TextDecoder('utf-8').decode(bytes);
  }
}

function readBytes(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    const reason = code === 'EISDIR' ? 'is a directory, not a file' : code === 'EACCES' ? 'permission denied' : message;
    throw new ConfigError([`${path}: cannot be read: ${reason}`], { cause: error });
  }
}
