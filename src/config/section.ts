import { type Document, quoteName } from './document.js';
import type { Report } from './report.js';
import { defaultSection, nameTables, schema } from './schema.js';

/**
 * Makes sure that the file has the service section that was asked for. A file without any service section is fine as
 * long as nobody asked for one: it leaves everything in there at its default.
 * @throws ConfigError when the name is that of another table
 */
export function requireSection({ source, entries, stray }: Document, asked: string | undefined, report: Report): void {
  const section = asked ?? defaultSection;
  const tables = nameTables('');
  if (section === '' || section === 'services' || tables.has(section)) {
    report.fault(`-s ${quoteName(section)}`, 'not the name of a service; choose the table with its host and port');
    report.conclude();
  }
  if (entries.has(section) || stray.has(section) || source === noFile) return;
  const candidates = [...entries.keys()].filter(
    (name) => !tables.has(name) && looksLikeService(entries.get(name), name),
  );
  const where = `${source}: [${quoteName(section)}]`;
  if (candidates.length > 0) {
    const options = candidates.map((name) => `-s ${quoteName(name)}`).join(' or ');
    report.fault(where, `no such table; did you mean ${options}?`);
  } else if (section !== defaultSection) {
    report.fault(where, 'no such table; add it (it may be empty) or choose another with -s');
  }

  function looksLikeService(keys: ReadonlyMap<string, unknown> | undefined, name: string): boolean {
    if (name.toLowerCase() === section.toLowerCase()) return true;
    return ['host', 'port', 'finder'].some((key) => keys?.has(key) && Object.hasOwn(schema.service.keys, key));
  }
}

/** Source of a config that nobody wrote. */
export const noFile = '<defaults>';
