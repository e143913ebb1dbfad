import { type Entries, type Entry, joinNames, quoteName } from './document.js';
import type { Table } from './key.js';
import type { Report } from './report.js';
import { environment, overridePrefix, servicesTable, serviceTable } from './schema.js';
import { suggest } from './suggestion.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Puts values from the environment over those of the file. */
export function applyEnvironment(
  entries: Entries,
  tables: ReadonlyMap<string, Table>,
  env: Environment,
  report: Report,
): void {
  const setters = new Map<string, string>();
  for (const name of Object.keys(env).sort()) {
    const value = env[name];
    if (value === undefined) continue;
    if (!name.startsWith(overridePrefix)) {
      warnOfMisspelling(name, tables, report);
      continue;
    }
    const rest = name.slice(overridePrefix.length);
    const target = resolve(rest, '__', entries, tables);
    if (typeof target === 'string') {
      report.fault(name, target);
      continue;
    }
    const path = joinNames(target.table, target.key);
    const earlier = setters.get(path);
    if (earlier !== undefined) report.fault(name, `sets ${path}, and so does ${earlier}; remove one`);
    setters.set(path, name);
    assign(entries, target, value, name);
  }
}

/** Puts `table.key=value` arguments over everything else; later ones over earlier ones. */
export function applyOverrides(
  entries: Entries,
  tables: ReadonlyMap<string, Table>,
  overrides: readonly string[],
  report: Report,
): void {
  for (const override of overrides) {
    const where = `command line: ${quoteName(override.split('=')[0] ?? '')}`;
    const equals = override.indexOf('=');
    if (equals < 0) {
      report.fault(where, 'expected table.key=value such as fc.max=8');
      continue;
    }
    const target = resolve(override.slice(0, equals).trim(), '.', entries, tables);
    if (typeof target === 'string') report.fault(where, target);
    else assign(entries, target, override.slice(equals + 1), where);
  }
}

interface Target {
  readonly table: string;
  readonly key: string;
}

/** The key that a name means, regardless of case and of what variable names cannot hold; or why there is none. */
function resolve(
  name: string,
  separator: string,
  entries: Entries,
  tables: ReadonlyMap<string, Table>,
): Target | string {
  const typed = fold(name, separator);
  // The longest table wins: the name of a service may itself hold a separator.
  const [found, other] = [...tables]
    .filter(([table]) => typed.startsWith(spell(table, separator) + separator))
    .sort(([a], [b]) => b.length - a.length);
  if (found === undefined) return explainUnknownTable(name, separator, tables);
  const [table, { keys, open }] = found;
  if (other !== undefined && spell(other[0], separator) === spell(table, separator)) {
    return `could mean [${table}] or [${other[0]}]; rename one of them`;
  }
  const typedKey = name.slice(spell(table, separator).length + separator.length);
  if (typedKey === '') return `names no key; expected ${showForm(separator)}`;
  const candidates = [...(entries.get(table)?.keys() ?? []), ...Object.keys(keys)];
  const alike = new Set(candidates.filter((candidate) => fold(candidate, separator) === fold(typedKey, separator)));
  if (alike.size > 1 && !alike.has(typedKey)) return `could mean any of ${[...alike].join(', ')}; rename all but one`;
  const key = alike.has(typedKey) ? typedKey : [...alike][0];
  if (key !== undefined && (open !== undefined || Object.hasOwn(keys, key))) return { table, key };
  if (open !== undefined) return { table, key: typedKey };
  const meant = suggest(typedKey, Object.keys(keys));
  return meant === null
    ? `unknown key; [${table}] has ${Object.keys(keys).join(', ')}`
    : `unknown key; did you mean ${write(table, meant, separator)}?`;
}

function explainUnknownTable(name: string, separator: string, tables: ReadonlyMap<string, Table>): string {
  const within = servicesTable + separator;
  if (fold(name, separator).startsWith(within)) return explainUnknownService(name, separator, tables);
  const at = name.indexOf(separator);
  const meant = at < 0 ? null : suggest(name.slice(0, at), tables.keys());
  if (meant !== null) {
    return `unknown table; did you mean ${write(meant, name.slice(at + separator.length), separator)}?`;
  }
  // Common slips: the key alone, and another separator.
  for (const [table, { keys }] of tables) {
    for (const key of Object.keys(keys)) {
      if ([key, `${table}.${key}`].some((candidate) => squeeze(candidate) === squeeze(name))) {
        return `names no table; did you mean ${write(table, key, separator)}?`;
      }
    }
  }
  return `names no table; expected ${showForm(separator)} with one of ${[...tables.keys()].join(', ')}`;
}

function explainUnknownService(name: string, separator: string, tables: ReadonlyMap<string, Table>): string {
  const within = serviceTable('');
  const known = [...tables.keys()]
    .filter((table) => table.startsWith(within))
    .map((table) => table.slice(within.length))
    .filter((table) => !table.includes('.'));
  if (known.length === 0) return `the file has no [${serviceTable('NAME')}]; a service begins there`;
  const [typed = '', ...key] = name.slice(within.length - 1 + separator.length).split(separator);
  const meant = suggest(typed, known);
  return meant === null || key.length === 0
    ? `names no service of the file; it has ${known.map((each) => `[${serviceTable(each)}]`).join(', ')}`
    : `unknown service; did you mean ${write(serviceTable(meant), key.join(separator), separator)}?`;
}

function showForm(separator: string): string {
  return `${separator === '.' ? '' : overridePrefix}table${separator}key`;
}

function squeeze(name: string): string {
  return name.toLowerCase().replace(/[._-]+/g, '_');
}

function fold(name: string, separator: string): string {
  const lower = name.toLowerCase();
  return separator === '.' ? lower : lower.replace(/[.-]/g, '_');
}

/** A table as it begins the name of one of its keys. */
function spell(table: string, separator: string): string {
  const path = table.startsWith(serviceTable('')) ? table.split('.') : [table];
  return path.map((name) => fold(name, separator)).join(separator);
}

function write(table: string, key: string, separator: string): string {
  return separator === '.' ? `${table}.${key}` : nameVariable(table, key);
}

/** The variable that sets a key. */
export function nameVariable(table: string, key: string): string {
  return `${overridePrefix}${spell(table, '__')}__${fold(key, '__')}`.toUpperCase();
}

function assign(entries: Entries, { table, key }: Target, value: string, where: string): void {
  const keys = entries.get(table) ?? new Map<string, Entry>();
  keys.set(key, { value, text: true, where });
  entries.set(table, keys);
}

/** Someone else may use the prefix, so only names close to one of ours are worth a word. */
function warnOfMisspelling(name: string, tables: ReadonlyMap<string, Table>, report: Report): void {
  if (!name.toUpperCase().startsWith('AIGES_')) return;
  const known = Object.values(environment).map((variable) => variable.name as string);
  if (known.includes(name)) return;
  for (const [table, { keys }] of tables) known.push(...Object.keys(keys).map((key) => nameVariable(table, key)));
  const meant = known.find((candidate) => squeeze(candidate) === squeeze(name)) ?? suggestVariable(name, known);
  if (meant !== null) report.warn(name, `unknown variable, ignored; did you mean ${meant}?`);
}

function suggestVariable(name: string, known: readonly string[]): string | null {
  // Compared without the prefix, whose letters would make everything look alike.
  const bare = (variable: string): string => variable.slice('AIGES_'.length);
  const meant = suggest(bare(name), known.map(bare));
  return meant === null ? null : `AIGES_${meant}`;
}
