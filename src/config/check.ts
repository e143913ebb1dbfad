import type { TomlValue } from 'smol-toml';
import { type Document, type Entry, isTable, joinNames, quoteName } from './document.js';
import type { Key, Table } from './key.js';
import { describeType, Refusal } from './kind.js';
import type { Report } from './report.js';
import { ownServiceKeys, schema, servicesTable, serviceTable } from './schema.js';
import { Settings } from './settings.js';
import { suggest } from './suggestion.js';

type Tables = ReadonlyMap<string, Table>;

export interface Checked {
  readonly settings: Settings;
  /** Of each service in `[services]`, by name. */
  readonly services: ReadonlyMap<string, Settings>;
}

/**
 * Holds a document against the schema: values of live keys come back, everything else is warned of or refused.
 * @param serviceNames of `[services.NAME]`
 */
export function checkDocument(
  { source, entries, stray }: Document,
  tables: Tables,
  serviceNames: readonly string[],
  report: Report,
): Checked {
  const settings = new Settings();
  const services = new Map(serviceNames.map((name) => [name, new Settings(settings, ownServiceKeys)]));
  const byTable = new Map([...services].map(([name, own]) => [serviceTable(name), own]));
  const settingsOf = (table: string): Settings => byTable.get(table) ?? settings;
  for (const [name, table] of tables) {
    for (const [key, spec] of Object.entries(table.keys)) {
      settingsOf(name).locate(spec, `${source}: ${joinNames(name, key)}`);
    }
  }
  for (const [name, entry] of stray) checkStray(name, entry, tables, report);
  for (const [name, keys] of entries) {
    const where = `${source}: [${quoteName(name)}]`;
    const table = tables.get(name);
    if (table === undefined) {
      const meant = suggest(name, tables.keys());
      report.warn(where, `unknown table, ignored${meant === null ? '' : `; did you mean [${meant}]?`}`);
    } else if (table.open === undefined || table.open === 'live') {
      checkKeys({ name, table, keys, where }, tables, settingsOf(name), report);
    } else if (table.open === 'dead') {
      report.warn(where, 'was never read, ignored; remove it');
    } else if (isOn(table, keys)) {
      report.warn(where, 'talks to the platform of the original, ignored; remove it or write able = 0');
    }
  }
  return { settings, services };
}

interface Section {
  readonly name: string;
  readonly table: Table;
  readonly keys: ReadonlyMap<string, Entry>;
  readonly where: string;
}

function checkKeys(section: Section, tables: Tables, settings: Settings, report: Report): void {
  const { table, keys, where } = section;
  const quiet = table.able !== undefined && !isOn(table, keys);
  const platform: string[] = [];
  for (const [key, entry] of keys) {
    const spec = Object.hasOwn(table.keys, key) ? table.keys[key] : undefined;
    if (spec === undefined) {
      if (table.open === undefined) report.fault(entry.where, explainUnknownKey(key, entry, section, tables));
    } else if (spec.class === 'live') {
      const value = spec.kind.read(entry);
      if (value instanceof Refusal && spec.tolerant === true) {
        if (isInert(spec, entry.value)) continue;
        report.warn(entry.where, `${value.reason}; the default is used, ${spec.kind.show(settings.get(spec))}`);
      } else if (value instanceof Refusal) report.fault(entry.where, value.reason);
      else settings.set(spec, value, entry.where);
    } else if (!quiet && !isInert(spec, entry.value)) {
      if (spec.class === 'platform') platform.push(key);
      else report.warn(entry.where, explainEffect(spec, entry));
    }
  }
  if (platform.length > 0) {
    report.warn(where, `${platform.join(', ')}: for the platform of the original, ignored; remove`);
  }
}

function explainEffect(spec: Key, entry: Entry): string {
  if (spec.note !== undefined) return spec.note;
  if (spec.class === 'dead') return 'never had an effect; remove it';
  // A wrong type made the original use its default; refusing the file over a key without effect would help nobody.
  const wrong = spec.kind.read(entry) instanceof Refusal;
  const hint = wrong ? `; its type is ${spec.kind.name}, not ${describeShortly(entry.value)}` : '';
  return `has no effect in this version yet${hint}`;
}

function explainUnknownKey(key: string, { value }: Entry, { name, table }: Section, tables: Tables): string {
  if (isTable(value) && tables.has(`${name}.${schema.wrapper.name}`)) {
    return `unknown table; [${name}] has keys of its own and [${name}.${schema.wrapper.name}]`;
  }
  const folded = key.toLowerCase();
  const own = Object.keys(table.keys);
  const respelled = own.find((candidate) => candidate.toLowerCase() === folded);
  if (respelled !== undefined) return `unknown key; did you mean ${respelled}?`;
  const owner = findOwner(folded, name, tables);
  const meant = suggest(key, own);
  if (meant !== null && owner === null) return `unknown key; did you mean ${meant}?`;
  if (owner !== null) return `unknown key; ${owner.key} belongs to [${owner.table}]`;
  const lively = own.filter((candidate) => table.keys[candidate]?.class === 'live');
  return `unknown key; [${quoteName(name)}] takes ${(lively.length > 0 ? lively : own).join(', ')}`;
}

function findOwner(folded: string, except: string, tables: Tables): { table: string; key: string } | null {
  for (const wanted of ['live', 'later'] as const) {
    for (const [table, { keys }] of tables) {
      if (table === except) continue;
      for (const [key, spec] of Object.entries(keys)) {
        if (spec.class === wanted && key.toLowerCase() === folded) return { table, key };
      }
    }
  }
  return null;
}

function checkStray(name: string, entry: Entry, tables: Tables, report: Report): void {
  if (tables.has(name) || name === servicesTable) {
    const form = name === servicesTable ? serviceTable('NAME') : name;
    report.fault(entry.where, `expected a table, [${form}], but found ${describeType(entry.value)}`);
    return;
  }
  const owner = findOwner(name.toLowerCase(), '', tables);
  if (owner !== null) report.fault(entry.where, `stands outside of any table; move it below [${owner.table}]`);
  else report.warn(entry.where, 'stands outside of any table, ignored');
}

function isOn(table: Table, keys: ReadonlyMap<string, Entry>): boolean {
  const able = keys.get('able')?.value;
  if (able === undefined) return table.able ?? true;
  return !['0', 'false', ''].includes(spell(able));
}

function isInert({ inert }: Key, value: TomlValue): boolean {
  return inert?.some((candidate) => String(candidate) === spell(value)) ?? false;
}

/** Text equals what it spells: the original took "0" for 0, and the environment knows nothing else. */
function spell(value: TomlValue): string {
  return typeof value === 'object' ? describeType(value) : String(value);
}

function describeShortly(value: TomlValue): string {
  // Text stays unsaid: some of these keys hold passwords.
  return typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : describeType(value);
}
