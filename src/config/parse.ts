import type { Config, LoadedConfig, ServiceConfig } from './config.js';
import { checkDocument } from './check.js';
import { flatten, readDocument } from './document.js';
import { buildLog, buildMetrics, chooseNumaNode } from './observing.js';
import { buildDelivery } from './delivery.js';
import { applyEnvironment, applyOverrides } from './overrides.js';
import type { Plan, Surroundings } from './plan.js';
import { Report } from './report.js';
import { nameTables, schema, serviceTable } from './schema.js';
import { chooseSection } from './section.js';
import { buildGrpc, buildHttp, buildWs, refuseCollision } from './servers.js';
import { buildServices, unfoldServices } from './services.js';
import type { Settings } from './settings.js';

/**
 * Turns the text of an aiges.toml into a Config.
 * @throws ConfigError naming every fault
 */
export function parseConfig(text: string, surroundings: Surroundings): LoadedConfig {
  const { source, env = {}, overrides = [], plugin } = surroundings;
  const report = new Report();
  const document = readDocument(source, text);
  const names = unfoldServices(document, report);
  const { section, service } = chooseSection(document, names, surroundings.section, report);
  const tables = nameTables(section, names);
  const wrapper = document.entries.get(schema.wrapper.name);
  if (wrapper !== undefined) document.entries.set(schema.wrapper.name, flatten(wrapper, report));
  applyEnvironment(document.entries, tables, env, report);
  const own = service === null ? schema.plugin.name : serviceTable(service);
  const all = plugin === undefined ? overrides : [...overrides, `${own}.path=${plugin}`];
  applyOverrides(document.entries, tables, all, report);
  const { settings, services } = checkDocument(document, tables, names, report);
  const config = build({ document, settings, section, surroundings, report }, services);
  report.conclude();
  const asked = service === null ? null : (config.services.find(({ table }) => table === own) ?? null);
  return Object.freeze({ config, asked, warnings: Object.freeze(report.warnings) });
}

function build(plan: Plan, serviceSettings: ReadonlyMap<string, Settings>): Config {
  const { document, settings } = plan;
  const services = buildServices(plan, serviceSettings);
  const grpc = buildGrpc(plan);
  const http = buildHttp(plan);
  refuseCollision(plan, grpc, http);
  const { keys } = schema.limits;
  return freeze({
    source: document.source,
    grpc,
    http,
    ws: buildWs(plan),
    limits: {
      queue: settings.get(keys.queue),
      onceTimeoutMs: settings.get(keys.onceTimeout),
      drainTimeoutMs: settings.get(keys.drainTimeout),
      resize: settings.get(keys.resize),
      abandoned: settings.get(keys.abandoned),
      results: settings.get(keys.results),
      resultBytes: settings.get(keys.resultBytes),
      outputBytes: settings.get(keys.outputBytes),
      resources: settings.get(keys.resources),
      leasedBytes: settings.get(keys.leasedBytes),
      threads: chooseThreads(plan, services),
    },
    data: {
      allow: settings.get(schema.data.keys.allow),
      retries: settings.get(schema.aiges.keys.httpRetry),
      timeoutMs: settings.get(schema.data.keys.timeout),
      maxBytes: settings.get(schema.data.keys.maxBytes),
      maxTotalBytes: settings.get(schema.data.keys.maxTotal),
      maxRedirects: settings.get(schema.data.keys.maxRedirects),
      parallel: settings.get(schema.data.keys.parallel),
    },
    log: buildLog(plan),
    metrics: buildMetrics(plan),
    numaNode: chooseNumaNode(plan),
    delivery: buildDelivery(plan),
    services,
  });
}

// Beside the running requests: init and fini, results being freed, sessions being destroyed.
const spareThreads = 4;
// More threads than this are never the fastest way; asynchronous engines do not need one per request.
const mostDerivedThreads = 4096;

function chooseThreads({ settings, report }: Plan, services: readonly ServiceConfig[]): number {
  const key = schema.limits.keys.threads;
  const threads = settings.get(key);
  // Services may share an engine, and threads that are not needed never start.
  const permits = settings.get(schema.limits.keys.resize)
    ? Infinity
    : services.reduce((sum, { maxConcurrent }) => sum + maxConcurrent, 0);
  if (threads === 0) return Math.min(permits, mostDerivedThreads) + spareThreads;
  for (const { table, maxConcurrent } of services) {
    if (threads >= maxConcurrent) continue;
    const max = table === schema.plugin.name ? 'fc.max' : `${table}.max`;
    report.warn(
      settings.where(key),
      `below ${max}: ${threads} of ${maxConcurrent} requests can be in the engine at once`,
    );
  }
  return threads;
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value) as unknown[]) {
    if (typeof inner === 'object' && inner !== null) freeze(inner);
  }
  return Object.freeze(value);
}
