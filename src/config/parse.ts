import type { Config, LoadedConfig } from './config.js';
import { checkDocument } from './check.js';
import { flatten, readDocument } from './document.js';
import { buildLog, buildMetrics, chooseNumaNode } from './observing.js';
import { buildDelivery } from './delivery.js';
import { applyEnvironment, applyOverrides } from './overrides.js';
import type { Plan, Surroundings } from './plan.js';
import { Report } from './report.js';
import { defaultSection, nameTables, schema } from './schema.js';
import { requireSection } from './section.js';
import { buildGrpc, buildHttp, buildWs, refuseCollision } from './servers.js';
import { buildService } from './service.js';

/**
 * Turns the text of an aiges.toml into a Config.
 * @throws ConfigError naming every fault
 */
export function parseConfig(text: string, surroundings: Surroundings): LoadedConfig {
  const { source, section = defaultSection, env = {}, overrides = [] } = surroundings;
  const report = new Report();
  const document = readDocument(source, text);
  requireSection(document, surroundings.section, report);
  const tables = nameTables(section);
  const wrapper = document.entries.get(schema.wrapper.name);
  if (wrapper !== undefined) document.entries.set(schema.wrapper.name, flatten(wrapper, report));
  applyEnvironment(document.entries, tables, env, report);
  applyOverrides(document.entries, tables, overrides, report);
  const settings = checkDocument(document, tables, report);
  const config = build({ document, settings, section, surroundings, report });
  report.conclude();
  return Object.freeze({ config, warnings: Object.freeze(report.warnings) });
}

function build(plan: Plan): Config {
  const { document, settings } = plan;
  const service = buildService(plan);
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
      threads: chooseThreads(plan, service.maxConcurrent),
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
    services: [service],
  });
}

// Beside the running requests: init and fini, results being freed, sessions being destroyed.
const spareThreads = 4;
// More threads than this are never the fastest way; asynchronous engines do not need one per request.
const mostDerivedThreads = 4096;

function chooseThreads({ settings, report }: Plan, permits: number): number {
  const key = schema.limits.keys.threads;
  const threads = settings.get(key);
  if (threads === 0) return Math.min(permits, mostDerivedThreads) + spareThreads;
  if (threads < permits) {
    report.warn(settings.where(key), `below fc.max: ${threads} of ${permits} requests can be in the engine at once`);
  }
  return threads;
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value) as unknown[]) {
    if (typeof inner === 'object' && inner !== null) freeze(inner);
  }
  return Object.freeze(value);
}
