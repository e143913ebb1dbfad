import { type Document, quoteName } from './document.js';
import type { Report } from './report.js';
import { defaultSection, nameTables, servicesTable, serviceTable } from './schema.js';

export interface Chosen {
  /** Name of the service section. */
  readonly section: string;
  /** NAME of the `[services.NAME]` that was asked for; `null` when none was. */
  readonly service: string | null;
}

/**
 * Finds what was asked for, and makes sure that the file has the service section. A file without any service section is
 * fine as long as nobody asked for one: it leaves everything in there at its default.
 * @param services of `[services.NAME]`
 * @throws ConfigError when the name is that of another table
 */
export function chooseSection(
  { source, entries, stray }: Document,
  services: readonly string[],
  asked: string | undefined,
  report: Report,
): Chosen {
  const tables = nameTables('', services);
  const unknown = [...entries.keys()].filter((name) => !tables.has(name));
  const sections = unknown.filter((name) => addressKeys.some((key) => entries.get(name)?.has(key)));
  if (asked !== undefined && services.includes(asked)) {
    if (entries.has(asked)) {
      report.fault(`-s ${quoteName(asked)}`, `could mean [${asked}] or [${serviceTable(asked)}]; rename one of them`);
    }
    // The section was not asked for, so it is the one there is.
    const [only = defaultSection, ...more] = sections;
    const section = entries.has(defaultSection) || more.length > 0 ? defaultSection : only;
    return { section, service: asked };
  }
  const section = asked ?? defaultSection;
  if (section === '' || section === servicesTable || tables.has(section)) {
    report.fault(`-s ${quoteName(section)}`, 'not the name of a service; choose the table with its host and port');
    report.conclude();
  }
  const chosen = { section, service: null };
  if (entries.has(section) || stray.has(section) || source === noFile) return chosen;
  const candidates = unknown.filter((name) => sections.includes(name) || name.toLowerCase() === section.toLowerCase());
  const where = `${source}: [${quoteName(section)}]`;
  if (candidates.length > 0) {
    const options = candidates.map((name) => `-s ${quoteName(name)}`).join(' or ');
    report.fault(where, `no such table; did you mean ${options}?`);
  } else if (section !== defaultSection) {
    report.fault(where, 'no such table; add it (it may be empty) or choose another with -s');
  }
  return chosen;
}

/** What tells a service section from a table that nobody knows. */
const addressKeys = ['host', 'port', 'finder'];

/** Source of a config that nobody wrote. */
export const noFile = '<defaults>';
