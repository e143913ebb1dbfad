import { dirname, isAbsolute, join } from 'node:path';
import type { StringMap } from '../core/frame.js';
import { type Entry, flatten, readDocument, twice } from './document.js';
import { describeType } from './kind.js';
import type { ServicePlan } from './plan.js';
import type { Report } from './report.js';
import { schema } from './schema.js';
import { noFile } from './section.js';
import { formatDecimal } from '../core/decimal.js';

/** What `wrapperInit` gets: the file that `usrCfg` names, else the service's own table for it, such as `[wrapper]`. */
export function choosePluginConfig(plan: ServicePlan): StringMap {
  const { document, settings, report } = plan;
  const wrapper = document.entries.get(plan.wrapper) ?? new Map<string, Entry>();
  const key = schema.aiges.keys.usrCfg;
  const name = settings.get(key).trim();
  if (name === '') return stringify(wrapper, report);
  const unused = [...wrapper.keys()].filter((each) => !Object.hasOwn(schema.wrapper.keys, each));
  if (unused.length > 0) {
    report.warn(settings.where(key), `[${plan.wrapper}] is not passed to the plugin, which gets ${name} instead`);
  }
  return report.attempt(() => readUserConfig(name, plan)) ?? new Map();
}

function findFile(name: string, { document, surroundings }: ServicePlan): { path: string; text: string } | null {
  const paths = [name];
  // The original knew the working directory only; a config that is moved with its second file should keep working.
  if (!isAbsolute(name) && document.source !== noFile) paths.unshift(join(dirname(document.source), name));
  for (const path of paths) {
    const text = surroundings.readFile(path);
    if (text !== null) return { path, text };
  }
  return null;
}

function readUserConfig(name: string, plan: ServicePlan): StringMap {
  const { settings, report } = plan;
  const file = findFile(name, plan);
  if (file === null) {
    const where = settings.where(schema.aiges.keys.usrCfg);
    report.fault(where, `no file ${JSON.stringify(name)} next to the config or in the working directory`);
    return new Map();
  }
  const { entries, stray } = readDocument(file.path, file.text);
  for (const { where } of stray.values()) report.warn(where, 'stands outside of any table, ignored');
  const all = new Map<string, Entry>();
  for (const [table, keys] of entries) {
    for (const [key, entry] of flatten(keys, report)) {
      const path = `${table}.${key}`;
      if (all.has(path)) report.fault(entry.where, twice);
      all.set(path, entry);
    }
  }
  return stringify(all, report);
}

/** Every value as text. */
function stringify(table: ReadonlyMap<string, Entry>, report: Report): StringMap {
  const config = new Map<string, string>();
  for (const [key, { value, where }] of table) {
    if (typeof value === 'object') {
      report.fault(where, `expected text, a number or a boolean but found ${describeType(value)}`);
      continue;
    }
    const text = typeof value === 'number' ? formatDecimal(value) : String(value);
    if (key.includes('\0') || text.includes('\0')) {
      report.fault(where, 'holds a NUL character, where a C engine would stop reading; remove it');
    } else {
      config.set(key, text);
    }
  }
  return config;
}
