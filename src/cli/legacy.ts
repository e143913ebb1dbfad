import { UsageError } from './usage-error.js';

/** What the flags of the original ask for: the arguments of ours, and what its owner should hear. */
export interface Translated {
  readonly args: readonly string[];
  readonly warnings: readonly string[];
}

/** Flags of the original that take a value and have a meaning here: the option of `serve` that they become. */
const serveOptions = new Map([
  ['c', '--config'],
  ['s', '--service'],
]);

/** Flags of the original that meant something to its platform only. */
const platformFlags = new Set(['dc', 'p', 'g', 'u', 'plugin']);

/** Values of -m that read a file on this machine. */
const fileModes = new Set(['0', '2', '-1']);

/**
 * Translates a command line of the original (`-m=0 -c=aiges.toml -s=svcName -u=…`), so that the start scripts of
 * its images work unchanged.
 * @returns null when it is no such command line
 * @throws Error when it asks for something that there is not
 */
export function translateLegacy(argv: readonly string[]): Translated | null {
  // Ours begin with a command, or with one of the few options that stand alone.
  if (argv[0]?.startsWith('-') !== true || /^(-h|--help|-V|--version)$/.test(argv[0])) return null;
  const flags = parseGoFlags(argv);
  if (flags.has('v')) return { args: ['--version'], warnings: [] };
  if (flags.has('init')) return { args: ['init', '--keep'], warnings: [] };
  const args = ['serve'];
  const ignored: string[] = [];
  for (const [name, value] of flags) {
    const option = serveOptions.get(name);
    if (option !== undefined) args.push(option, value);
    else if (name === 'm') checkMode(value);
    else if (name === 'mnist')
      throw new UsageError('-mnist: there is no demo to download; the demo of this loader is in demo/digits');
    else if (platformFlags.has(name) || name.startsWith('bvt')) ignored.push(`-${name}`);
    else throw new UsageError(`-${name}: unknown flag; see aiges-ts --help`);
  }
  const warning = `${ignored.join(', ')}: for the platform of the original, ignored`;
  return { args, warnings: ignored.length === 0 ? [] : [warning] };
}

function checkMode(mode: string): void {
  if (!fileModes.has(mode)) {
    throw new UsageError(`-m=${mode}: the configuration centre is not offered; use -m=0 and a file`);
  }
}

/** `-x v`, `-x=v`, and `--` for `-`, as Go reads them. `-v`, `-init` and `-mnist` need no value. */
function parseGoFlags(argv: readonly string[]): ReadonlyMap<string, string> {
  const flags = new Map<string, string>();
  const bare = new Set(['v', 'init', 'mnist', 'plugin']);
  for (let at = 0; at < argv.length; at++) {
    const match = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(argv[at] ?? '');
    if (match === null) throw new UsageError(`${argv[at] ?? ''}: expected a flag; see aiges-ts --help`);
    const [, name = '', value] = match;
    if (value !== undefined || bare.has(name)) flags.set(name, value ?? '');
    else {
      at++;
      const next = argv[at];
      if (next === undefined) throw new UsageError(`-${name}: expected a value`);
      flags.set(name, next);
    }
  }
  return flags;
}
