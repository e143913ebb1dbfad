import { mandatoryInputs } from '../core/descriptor.js';
import type { NativePluginConfig, NodePluginConfig, ServiceConfig, StreamsConfig } from './config.js';
import { quoteName } from './document.js';
import type { Plan, ServicePlan } from './plan.js';
import { choosePassedHeaders } from './header-pass.js';
import { choosePluginSchema, type PluginSchema } from './plugin-schema.js';
import { choosePluginConfig } from './plugin-config.js';
import { environment, isSegment, routeShape, schema } from './schema.js';
import { suggest } from './suggestion.js';

const { keys } = schema.plugin;

export function buildService(plan: ServicePlan): ServiceConfig {
  const { settings, report } = plan;
  const name = settings.get(keys.service) ?? plan.name;
  if (!isSegment(name)) {
    report.fault(
      settings.where(keys.service),
      `the service table's name ${quoteName(name)} cannot be a public name; set one of letters, digits, ".", "_", "~" or "-"`,
    );
  }
  const version = settings.get(keys.version);
  const plugin = buildPlugin(plan);
  const file = choosePluginSchema(plan, plugin, name);
  const named = file?.named === true ? file : null;
  const [route, ...aliases] = buildRoutes(plan, name, version, named);
  return {
    name,
    table: plan.table,
    route,
    aliases,
    version: readReportedVersion(plan) ?? version,
    plugin,
    schema: file?.schema ?? null,
    resources: settings.get(keys.resources),
    pluginConfig: choosePluginConfig(plan),
    maxConcurrent: choosePermits(plan),
    headerPass: choosePassedHeaders(plan),
    streams: buildStreams(plan),
    storeInput: settings.get(schema.aiges.keys.storageData),
    inputs: chooseInputs(plan) ?? mandatoryInputs(named?.schema.descriptor ?? null),
  };
}

/** A name that is empty or written twice is a slip of the pen that would leave streams waiting for an input. */
function chooseInputs({ settings, report }: Plan): readonly string[] | null {
  const inputs = settings.get(keys.inputs);
  const wrong = inputs.find((name, index) => name === '' || inputs.indexOf(name) !== index);
  if (wrong !== undefined) {
    const found = `${JSON.stringify(wrong)}${wrong === '' ? '' : ' twice'}`;
    report.fault(settings.where(keys.inputs), `expected each input by its name, once, but found ${found}`);
  }
  return inputs.length === 0 ? null : inputs;
}

function buildStreams({ settings }: Plan): StreamsConfig {
  return {
    ttlMs: settings.get(schema.fc.keys.ttl),
    rollMs: settings.get(schema.fc.keys.roll),
    realTime: settings.get(schema.aiges.keys.realTimeRlt),
    gapMs: settings.get(schema.limits.keys.gap),
    maxPackets: settings.get(schema.limits.keys.packets),
  };
}

function buildPlugin(plan: ServicePlan): NativePluginConfig | NodePluginConfig {
  const { settings, report } = plan;
  if (!isMain(plan) && !settings.has(keys.path)) {
    report.fault(settings.where(keys.path), 'needed: the library, or the module that exports the wrapper');
  }
  const path = settings.get(keys.path);
  const ending = /\.\w+$/.exec(path)?.[0] ?? '';
  if (ending === '.py') {
    report.fault(
      settings.where(keys.path),
      `Python plugins come with a later version; expected a shared library or a TypeScript module but found ${JSON.stringify(path)}`,
    );
  }
  const inferred =
    moduleEndings.includes(ending) || (isMain(plan) && plan.surroundings.env?.[environment.mode.name] === 'node');
  const kind = settings.get(keys.kind) ?? (inferred ? 'node' : 'native');
  if (kind === 'native' && moduleEndings.includes(ending)) {
    report.fault(
      settings.where(keys.kind),
      `a C engine is a shared library, but path is ${JSON.stringify(path)}; write kind = "node", or leave it out`,
    );
  }
  if (kind === 'node') {
    return {
      kind,
      path: settings.has(keys.path) ? path : defaultModule,
      instances: settings.get(keys.instances),
      execLimitMs: settings.get(keys.execLimit),
      heapMiB: settings.get(keys.heap),
    };
  }
  return {
    kind,
    path,
    asyncMode: settings.get(schema.aiges.keys.asyncMode),
    input: settings.get(keys.input),
    output: settings.get(keys.output),
    emptyList: settings.get(keys.emptyList),
    abandon: settings.get(keys.abandon),
    tagGraceMs: settings.get(keys.tagGrace),
  };
}

const defaultModule = './wrapper.ts';

/** What is served when nothing says anything else. */
export function defaultPluginPath({ surroundings }: Plan): string {
  return surroundings.env?.[environment.mode.name] === 'node' ? defaultModule : keys.path.default;
}

const moduleEndings: readonly string[] = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];

/** Routes of the loader itself, and what begins with them. */
const loaderRoutes = ['/healthz', '/readyz', '/metrics', '/ping', '/openapi.json', '/docs', '/playground'];

function isOurs(route: string): boolean {
  return route === '/' || loaderRoutes.some((ours) => route === ours || route.startsWith(`${ours}/`));
}

/** @param file the schema file that the configuration names; its routes count where no key says another */
function buildRoutes(
  { settings, report }: Plan,
  name: string,
  version: string,
  file: PluginSchema | null,
): readonly [string, ...string[]] {
  const configured = settings.get(keys.route).replaceAll('{version}', version).replaceAll('{service}', name);
  const [route = configured, ...aliases] = settings.has(keys.route) ? [configured] : new Set(file?.routes);
  for (const each of [route, ...aliases]) {
    const fromFile = each !== configured;
    const where = fromFile ? `${file?.path ?? ''}: meta.route` : settings.where(keys.route);
    if (isOurs(each)) report.fault(where, `${each} belongs to the loader itself; choose another`);
    else if (fromFile && !routeShape.accepts(each)) {
      report.fault(where, `expected ${routeShape.expected} but found ${JSON.stringify(each)}; set route next to path`);
    }
  }
  return [route, ...aliases];
}

function choosePermits({ settings, surroundings, report }: Plan): number {
  const { able, max } = schema.fc.keys;
  if (settings.get(able) === 0) {
    report.warn(
      settings.where(able),
      'ignored: the limit is always on; remove it, and set fc.max to what the engine bears',
    );
  }
  return settings.get(max) ?? 2 * Math.max(1, surroundings.cores);
}

/** Whether it is the one service that the original had, which its variables are about. */
function isMain({ table }: ServicePlan): boolean {
  return table === schema.plugin.name;
}

/** The original's switch between C and Python, which its Docker images set. */
export function checkMode({ surroundings, report }: Plan): void {
  const { name } = environment.mode;
  const value = surroundings.env?.[name];
  if (value === undefined || ['', 'c', 'node'].includes(value)) return;
  if (value === 'python') {
    report.fault(name, 'Python plugins come with a later version; unset it, or set it to c or node');
    return;
  }
  const meant = suggest(value, ['c', 'node', 'python']);
  const hint = meant === null ? '' : `; did you mean ${meant}?`;
  report.fault(name, `expected c, node or python but found ${JSON.stringify(value)}${hint}`);
}

function readReportedVersion(plan: ServicePlan): string | null {
  const { name } = environment.version;
  const value = (isMain(plan) ? plan.surroundings.env?.[name] : null) ?? '';
  if (/\p{Cc}/u.test(value)) {
    plan.report.fault(name, `expected one line of text but found ${JSON.stringify(value)}`);
  }
  return value === '' ? null : value;
}
