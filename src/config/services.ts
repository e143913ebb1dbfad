import type { ServiceConfig } from './config.js';
import { type Document, flatten, isTable, quoteName, readTable } from './document.js';
import { describeType } from './kind.js';
import type { Plan, ServicePlan } from './plan.js';
import type { Report } from './report.js';
import { environment, schema, servicesTable, serviceTable, serviceWrapperTable } from './schema.js';
import { buildService, checkMode, defaultPluginPath } from './service.js';
import type { Settings } from './settings.js';

/** Variables fold case and signs, and an object of JavaScript has numbers first: other names would lose their order. */
const serviceName = /^[a-z][\w-]*$/i;

/**
 * Makes `[services.NAME]` and `[services.NAME.wrapper]` tables of the document like any other.
 * @returns every NAME, in the order of the file
 */
export function unfoldServices({ source, entries }: Document, report: Report): readonly string[] {
  for (const name of [...entries.keys()].filter((each) => each.startsWith(`${servicesTable}.`))) {
    report.fault(`${source}: [${JSON.stringify(name)}]`, `a table within a table has no quotes; write [${name}]`);
    entries.delete(name);
  }
  const names: string[] = [];
  for (const [name, { value, where }] of entries.get(servicesTable) ?? []) {
    if (!isTable(value)) {
      report.fault(where, `expected a table, [${serviceTable('NAME')}], but found ${describeType(value)}`);
      continue;
    }
    if (!serviceName.test(name)) {
      report.fault(where, 'expected letters, digits, "_" and "-" for a name, beginning with a letter');
      continue;
    }
    names.push(name);
    const table = serviceTable(name);
    const { [schema.wrapper.name]: wrapper, ...keys } = value;
    entries.set(table, readTable(source, table, keys));
    if (wrapper === undefined) continue;
    const wrapperTable = serviceWrapperTable(name);
    if (isTable(wrapper)) entries.set(wrapperTable, flatten(readTable(source, wrapperTable, wrapper), report));
    else report.fault(`${source}: ${wrapperTable}`, `expected a table but found ${describeType(wrapper)}`);
  }
  entries.delete(servicesTable);
  return names;
}

/**
 * Builds every service, the default one first: that of `[plugin]`, unless there are others and nothing says that there
 * is one.
 * @param services settings of those in `[services]`, by name
 */
export function buildServices(plan: Plan, services: ReadonlyMap<string, Settings>): readonly ServiceConfig[] {
  const main: ServicePlan = { ...plan, name: plan.section, table: schema.plugin.name, wrapper: schema.wrapper.name };
  const others = [...services].map(([name, settings]): ServicePlan => ({
    ...plan,
    settings,
    name,
    table: serviceTable(name),
    wrapper: serviceWrapperTable(name),
  }));
  checkMode(plan);
  const hasMain =
    others.length === 0 || plan.document.entries.has(main.table) || plan.surroundings.hasFile(defaultPluginPath(plan));
  if (!hasMain) warnOfMissingMain(main);
  const built = [...(hasMain ? [main] : []), ...others].map((each) => ({ plan: each, config: buildService(each) }));
  for (const [index, each] of built.entries()) {
    for (const earlier of built.slice(0, index)) refuseTwins(earlier, each);
  }
  return built.map(({ config }) => config);
}

/** What is said about a plugin that is not there was meant for one. */
function warnOfMissingMain({ document, settings, surroundings, report, table, wrapper }: ServicePlan): void {
  const notThere = `is for [${table}], which the file does not have`;
  const keys = [...(document.entries.get(wrapper)?.keys() ?? [])];
  if (keys.some((key) => !Object.hasOwn(schema.wrapper.keys, key))) {
    report.warn(`${document.source}: [${wrapper}]`, `${notThere}; each service has [${serviceWrapperTable('NAME')}]`);
  }
  const { usrCfg } = schema.aiges.keys;
  if (settings.get(usrCfg) !== '')
    report.warn(settings.where(usrCfg), `${notThere}; move it into [${serviceTable('NAME')}]`);
  const { name } = environment.version;
  if ((surroundings.env?.[name] ?? '') !== '') {
    report.warn(name, `${notThere}; set version in [${serviceTable('NAME')}]`);
  }
}

interface Built {
  readonly plan: ServicePlan;
  readonly config: ServiceConfig;
}

/** How one engine file can be had twice. Copies of C++ libraries may share data: docs/plugin-abi.md. */
const orElse =
  'run one of them in a process of its own, or serve a copy of the library (of a C++ engine, one that is compiled with ' +
  '-fno-gnu-unique: docs/plugin-abi.md)';

/** Two services that clients could not tell apart, or that want one engine in two ways. */
function refuseTwins(a: Built, b: Built): void {
  const { report, settings, surroundings } = b.plan;
  const { service, route, path, resources } = schema.plugin.keys;
  const [first, second] = [`[${a.plan.table}]`, `[${b.plan.table}]`];
  if (a.config.name === b.config.name) {
    const name = quoteName(a.config.name);
    report.fault(settings.where(service), `${first} and ${second} both have the public name ${name}; choose another`);
  } else {
    const taken = [b.config.route, ...b.config.aliases].find((each) =>
      [a.config.route, ...a.config.aliases].includes(each),
    );
    if (taken !== undefined) {
      report.fault(settings.where(route), `${first} and ${second} both have the HTTP route ${taken}; choose another`);
    }
  }
  if (a.config.plugin.kind !== 'native' || b.config.plugin.kind !== 'native') return;
  if (surroundings.realPath(a.config.plugin.path) !== surroundings.realPath(b.config.plugin.path)) return;
  const different = differentKeys(a.config.pluginConfig, b.config.pluginConfig);
  if (different.length > 0) {
    report.fault(
      settings.where(path),
      `${first} and ${second} have the same engine, which runs once in a process, with different config ` +
        `(${different.map(quoteName).join(', ')}); give both the same in [${a.plan.wrapper}] and [${b.plan.wrapper}], ` +
        orElse,
    );
  }
  if (a.config.resources && b.config.resources) {
    report.fault(
      settings.where(resources),
      `${first} and ${second} have the same engine, where ids of their resources would meet; let one of them take ` +
        `resources, ${orElse}`,
    );
  }
}

function differentKeys(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): readonly string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key)).sort();
}
