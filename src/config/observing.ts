import type { LogConfig, MetricsConfig } from './config.js';
import type { Plan } from './plan.js';
import { environment, schema } from './schema.js';
import { MiB } from './units.js';

const dayMs = 24 * 60 * 60 * 1000;

export function buildLog({ settings }: Plan): LogConfig {
  const { keys } = schema.log;
  const path = settings.get(keys.file).trim();
  const limit = (value: number, unit: number): number | null => (value === 0 ? null : value * unit);
  return {
    level: settings.get(keys.level),
    file:
      path === ''
        ? null
        : {
            path,
            maxBytes: limit(settings.get(keys.size), MiB),
            keep: limit(settings.get(keys.count), 1),
            maxAgeMs: limit(settings.get(keys.die), dayMs),
          },
  };
}

export function buildMetrics({ settings, section, report }: Plan): MetricsConfig | null {
  const { keys } = schema.metrics;
  const able = settings.get(keys.able);
  if (able !== 0 && able !== 1) {
    report.warn(settings.where(keys.able), `metrics stay off: only 1 turns them on, not ${able}`);
  }
  if (able !== 1) return null;
  return {
    labels: {
      sub: settings.get(keys.sub),
      name: section,
      idc: settings.get(keys.idc),
      cs: settings.get(keys.cs),
    },
    slices: settings.get(keys.winSize),
    sliceMs: settings.get(keys.timePerSlice),
  };
}

/** The original took what is no number for node 0. */
export function chooseNumaNode({ surroundings, report }: Plan): number | null {
  const { name } = environment.numa;
  const value = surroundings.env?.[name]?.trim() ?? '';
  if (value === '') return null;
  if (/^\d{1,5}$/.test(value)) return Number(value);
  report.fault(name, `expected the number of a NUMA node such as 0 but found ${JSON.stringify(value)}`);
  return null;
}
