import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { addServiceOptions, chooseService, type ConfigOptions, readConfig } from './config-options.js';
import { ElfError, type ElfHeader, type ElfLibrary, readElfHeader, readElfLibrary } from './inspect/elf.js';
import { type EntryPoints, readEntryPoints } from './inspect/entry-points.js';
import { type Loaded, loadInChild } from './inspect/load.js';
import { parseMs } from './option-values.js';
import { UsageError } from './usage-error.js';

interface InspectOptions extends ConfigOptions {
  readonly timeout: number;
  readonly json?: true;
}

/** What is known of a library. Later parts are missing when an earlier one is at fault. */
interface Inspection {
  readonly path: string;
  readonly header?: ElfHeader;
  readonly library?: ElfLibrary;
  readonly entryPoints?: EntryPoints;
  readonly loaded?: Loaded;
  /** Why the loader would refuse it; null when it would not. */
  readonly fault: string | null;
}

export function addInspect(program: Command): void {
  addServiceOptions(program.command('inspect'))
    .description('say what a C engine offers and what the loader would do with it')
    .argument('[library]', "the shared library, such as libwrapper.so (default: the configuration's)")
    .option('-t, --timeout <ms>', 'how long loading may take', parseMs, 10_000)
    .option('--json', 'print one JSON document instead of lines')
    .addHelpText(
      'after',
      '\nThe file is read first. Then it is loaded in a process of its own, because loading runs code of the library,\n' +
        'which may crash or hang. wrapperVersion is called there, wrapperInit is not. Exit code: 0 when the loader would\n' +
        'take the engine, 1 when it would not.\n' +
        '\nExample:\n  aiges-ts inspect ./libwrapper.so\n',
    )
    .action(async (path: string | undefined, options: InspectOptions) => {
      const inspection = await inspect(path ?? configuredEngine(options), options.timeout);
      process.stdout.write(options.json === true ? `${JSON.stringify(inspection, null, 2)}\n` : show(inspection));
      process.exitCode = inspection.fault === null ? 0 : 1;
    });
}

/** @throws UsageError when the configuration has none */
function configuredEngine(options: ConfigOptions): string {
  const loaded = readConfig(options);
  for (const warning of loaded.warnings) process.stderr.write(`aiges-ts: warning: ${warning}\n`);
  const { plugin } = chooseService(loaded);
  if (plugin.kind !== 'native') throw new UsageError(`${plugin.path} is a wrapper, no engine; name the library`);
  if (!existsSync(plugin.path)) throw new UsageError(`${plugin.path}: no such file; name the library`);
  return plugin.path;
}

const ownMachine = { x64: 'x86-64', arm64: 'arm64' }[process.arch as string] ?? process.arch;

async function inspect(path: string, timeoutMs: number): Promise<Inspection> {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'a folder, not a library' : message;
    return { path, fault: `${why}; build the engine or correct the path` };
  }
  let known: Inspection = { path, fault: null };
  try {
    const header = readElfHeader(file);
    known = { ...known, header };
    const fault = faultOf(header);
    if (fault !== null) return { ...known, fault };
    const library = readElfLibrary(file);
    const entryPoints = readEntryPoints(library.exports);
    known = { ...known, library, entryPoints };
    const loaded = await loadInChild(resolve(path), timeoutMs);
    const faults = loaded.opened ? [] : [loaded.error];
    // What is missing shows in the file already, which says more of mangled names.
    faults.push(entryPoints.fault ?? (loaded.opened ? loaded.error : null));
    return { ...known, loaded, fault: faults.filter((each) => each !== null).join('; and it ') || null };
  } catch (error) {
    if (error instanceof ElfError) return { ...known, fault: error.message };
    throw error;
  }
}

function faultOf({ machine, bits, bigEndian, kind }: ElfHeader): string | null {
  if (machine !== ownMachine || bits !== 64 || bigEndian) {
    const what = `${bits}-bit ${bigEndian ? 'big-endian ' : ''}file for ${machine}`;
    return `a ${what}, this machine is 64-bit ${ownMachine}; build the engine for this machine`;
  }
  return kind === 'shared library' ? null : `${kind} instead of a shared library; link it with -shared`;
}

function show({ path, header, library, entryPoints, loaded, fault }: Inspection): string {
  const lines = [path];
  const say = (what: string, text: string): void => {
    lines.push(`  ${what.padEnd(11)}${text}`);
  };
  if (header !== undefined) say('file', `${header.kind}, ${header.machine}`);
  if (library !== undefined) {
    if (library.soname !== null) say('soname', library.soname);
    say('needs', library.needed.join(', ') || 'no other library');
    if (library.unique.length > 0) say('shares', `${someOf(library.unique)}  (with its copies in one process)`);
  }
  if (entryPoints !== undefined) {
    say('ABI', entryPoints.variant);
    for (const { name, use, complete, found, missing } of entryPoints.groups) {
      const state = complete ? 'yes' : found.length === 0 ? 'no' : 'in part';
      const lacks = found.length === 0 || complete ? '' : `; lacks ${missing.join(', ')}`;
      say(name, `${state}  (${use}: ${found.length === 0 ? missing.join(', ') : found.join(', ')}${lacks})`);
    }
    for (const name of entryPoints.mangled) say('mangled', `${name}  (C++, cannot be found)`);
  }
  if (loaded !== undefined) {
    const version = loaded.version === null ? '' : `, version ${JSON.stringify(loaded.version)}`;
    say('loaded', `in a process of its own: ${loaded.opened ? `yes${version}` : (loaded.error ?? '')}`);
    if (loaded.error !== null && loaded.printed !== '')
      say('printed', loaded.printed.trim().replaceAll('\n', `\n${' '.repeat(13)}`));
  }
  if (fault === null) say('verdict', `the loader takes it: ${verdict(entryPoints)}`);
  else say('verdict', `the loader refuses it: ${fault}`);
  return `${lines.join('\n')}\n`;
}

/** The first of them: a C++ library may have thousands. */
function someOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

function verdict(entryPoints: EntryPoints | undefined): string {
  const has = (name: string): boolean => entryPoints?.groups.find((group) => group.name === name)?.complete === true;
  const once =
    has('once') && has('async')
      ? 'one-shot calls through wrapperExec, or wrapperExecAsync with asyncMode'
      : has('once')
        ? 'one-shot calls through wrapperExec'
        : has('async')
          ? 'one-shot calls through wrapperExecAsync'
          : 'no one-shot calls';
  const streams = has('stream') ? 'streams' : 'no streams';
  const resources = has('resources') ? 'resources with [plugin].resources' : 'no resources';
  return [once, streams, resources, ...(has('control') ? [] : ['nothing is metered or traced'])].join('; ');
}
