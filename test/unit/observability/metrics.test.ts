import { describe, expect, it } from 'vitest';
import {
  type CounterName,
  type GrpcCounterName,
  Metrics,
  type MetricsOptions,
  type ServiceLoad,
} from '../../../src/observability/metrics.js';
import { counters } from '../../../src/runtimes/native/index.js';
import { wireServer } from '../../fixtures/grpc-servers.js';
import { type Family, parsePrometheus } from '../../fixtures/prometheus.js';

const labels = { sub: 'ase', name: 'svcName', idc: 'dx', cs: '3s' };

let now = 0;

function metrics(changes: Partial<MetricsOptions> = {}): Metrics {
  now = 0;
  return new Metrics({
    labels,
    slices: 2,
    sliceMs: 1000,
    services: () => [],
    counters: null,
    grpc: null,
    now: () => now,
    ...changes,
  });
}

async function read(of: Metrics, milliseconds = false): Promise<ReadonlyMap<string, Family>> {
  return parsePrometheus(await of.text({ milliseconds }));
}

/** The values of a family by one of its labels. */
function values(families: ReadonlyMap<string, Family>, name: string, label: string): Record<string, number> {
  const samples = families.get(name)?.samples ?? [];
  return Object.fromEntries(samples.map((sample) => [sample.labels[label] ?? '', sample.value]));
}

describe('the parser of these tests refuses', () => {
  it.each([
    ['# HELP a b\n# TYPE a gauge\na 1'],
    ['a 1\n'],
    ['# TYPE a gauge\na 1\n'],
    ['# HELP a b\n# TYPE a dial\na 1\n'],
    ['# HELP a b\n# TYPE a gauge\na x\n'],
    ['# HELP a b\n# TYPE a gauge\na{b="c} 1\n'],
    ['# HELP a b\n# TYPE a gauge\na{b="c",} 1\n'],
    ['# HELP a b\n# TYPE a gauge\na{b="c",b="d"} 1\n'],
    ['# HELP a b\n# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n'],
    ['# HELP a b\n# TYPE a gauge\n# HELP c d\n# TYPE c gauge\na 1\n'],
    ['# HELP a b\n# TYPE a gauge\na_sum 1\n'],
    ['# HELP a b\n# TYPE a histogram\na 1\n'],
  ])('%j', (text) => {
    expect(() => parsePrometheus(text)).toThrow();
  });
});

describe('Metrics', () => {
  it('are well-formed before anything has happened, with every label on every sample', async () => {
    const families = await read(metrics({ counters }));
    expect([...families.keys()]).toContain('module_delay');
    expect(values(families, 'module_delay', 'type')).toEqual({ max: 0, min: 0, avg: 0, qps: 0 });
    for (const { samples, help } of families.values()) {
      expect(help).not.toBe('');
      for (const sample of samples) expect(sample.labels).toMatchObject(labels);
    }
  });

  it('tell delays in nanoseconds, or in milliseconds, over the window', async () => {
    const all = metrics();
    for (const ms of [1, 2.5, 4]) {
      const ended = all.call();
      now += ms;
      ended(0);
    }
    const [ns, ms] = await Promise.all([read(all), read(all, true)]);
    expect(values(ns, 'module_delay', 'type')).toEqual({ max: 4e6, min: 1e6, avg: 2.5e6, qps: 1.5 });
    expect(values(ms, 'module_delay', 'type')).toEqual({ max: 4, min: 1, avg: 2.5, qps: 1.5 });
    expect(ns.get('module_delay')?.type).toBe('gauge');
    now += 10_000;
    expect(values(await read(all), 'module_delay', 'type')).toEqual({ max: 0, min: 0, avg: 0, qps: 0 });
  });

  it('count answers by code and calls in flight', async () => {
    const all = metrics();
    const [first, second, third, fourth] = [all.call(), all.call(), all.call(), all.call()];
    first(0);
    second(10110);
    third(0);
    const families = await read(all);
    expect(values(families, 'module_request', 'code')).toEqual({ 0: 2, 10110: 1 });
    expect(families.get('module_request')?.samples[0]?.labels).toEqual({ ...labels, type: 'passive', code: '0' });
    expect(families.get('concurrent_statistics')?.samples).toEqual([{ part: '', labels, value: 1 }]);
    fourth(10008);
    expect((await read(all)).get('concurrent_statistics')?.samples[0]?.value).toBe(0);
  });

  it('tell what every service has and does at this moment', async () => {
    const load = { name: 'digits', permits: 8, running: 3, waiting: 2, sessions: 1 };
    const services: ServiceLoad[] = [load];
    const all = metrics({ services: () => services });
    await read(all);
    services[0] = { ...load, running: 4 };
    const families = await read(all);
    const told = ['permits', 'running', 'waiting', 'sessions'].map((which) =>
      values(families, `aiges_${which}`, 'service'),
    );
    expect(told).toEqual([{ digits: 8 }, { digits: 4 }, { digits: 2 }, { digits: 1 }]);
  });

  it('tell every number of the native part, those that only grow as counters', async () => {
    const numbers = Object.fromEntries(Object.keys(counters()).map((key, index) => [key, index + 1]));
    const all = metrics({ counters: () => numbers as Record<CounterName, number> });
    await read(all);
    const families = await read(all);
    for (const [key, value] of Object.entries(numbers)) {
      const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const found = families.get(`aiges_native_${snake}`) ?? families.get(`aiges_native_${snake}_total`);
      expect(found?.samples, key).toEqual([{ part: '', labels, value }]);
    }
    expect(families.get('aiges_native_control_dropped_total')?.type).toBe('counter');
    expect(families.get('aiges_native_tombstones')?.type).toBe('gauge');
  });

  it('leave out the native part where there is none', async () => {
    const families = await read(metrics());
    expect([...families.keys()].filter((name) => name.startsWith('aiges_native'))).toEqual([]);
  });

  it('tell every number of the gRPC server, those that only grow as counters', async () => {
    const server = wireServer();
    await server.listen({ host: '127.0.0.1', port: 0 });
    const stats = server.stats() ?? {};
    await server.drain(AbortSignal.abort());
    const numbers = Object.fromEntries(Object.keys(stats).map((key, index) => [key, index + 1]));
    const all = metrics({ grpc: () => numbers as Record<GrpcCounterName, number> });
    await read(all);
    const families = await read(all);
    expect(Object.keys(numbers)).toContain('connectionsPaused');
    for (const [key, value] of Object.entries(numbers)) {
      const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const found = families.get(`aiges_grpc_${snake}`) ?? families.get(`aiges_grpc_${snake}_total`);
      expect(found?.samples, key).toEqual([{ part: '', labels, value }]);
    }
    expect(families.get('aiges_grpc_memory_pauses_total')?.type).toBe('counter');
    expect(families.get('aiges_grpc_bytes_held')?.type).toBe('gauge');
  });

  it('leave out the gRPC server where it does not count', async () => {
    const families = await read(metrics({ grpc: () => null }));
    expect([...families.keys()].filter((name) => name.startsWith('aiges_grpc'))).toEqual([]);
  });

  it('do not share anything with those of another host in the process', async () => {
    const [one, two] = [metrics(), metrics()];
    one.call()(0);
    expect(values(await read(two), 'module_request', 'code')).toEqual({});
  });
});

describe('requests over HTTP and WebSocket connections', () => {
  it('are counted while they run, and by service and code when they have ended', async () => {
    const all = metrics();
    const [first, second] = [all.gatewayCall('http', 'a'), all.gatewayCall('http', 'a')];
    all.gatewayCall('ws', 'b')(10109);
    now += 70;
    first(0);
    const families = await read(all);
    expect(values(families, 'aiges_http_open', 'service')).toEqual({ a: 1 });
    expect(values(families, 'aiges_http_requests_total', 'code')).toEqual({ 0: 1 });
    expect(values(families, 'aiges_ws_open', 'service')).toEqual({ b: 0 });
    expect(values(families, 'aiges_ws_connections_total', 'code')).toEqual({ 10109: 1 });
    const seconds = families.get('aiges_http_seconds')?.samples ?? [];
    expect(seconds.find(({ part }) => part === '_sum')?.value).toBeCloseTo(0.07);
    const buckets = seconds.filter(({ part }) => part === '_bucket');
    expect(buckets.filter(({ value }) => value === 0).map(({ labels }) => labels['le'])).toContain('0.05');
    expect(buckets.filter(({ value }) => value === 1).map(({ labels }) => labels['le'])).toContain('0.1');
    second(10110);
    expect(values(await read(all), 'aiges_http_open', 'service')).toEqual({ a: 0 });
  });

  it('have an end to the number of codes', async () => {
    const all = metrics();
    for (let code = 1; code <= 150; code++) {
      all.call()(code);
      all.gatewayCall('http', 'a')(code);
    }
    for (const name of ['module_request', 'aiges_http_requests_total']) {
      const counted = values(await read(all), name, 'code');
      expect(Object.keys(counted)).toHaveLength(101);
      expect(counted['other']).toBe(50);
    }
  });
});

describe('meter records', () => {
  it('add up by key, whatever the key is made of', async () => {
    const all = metrics();
    const odd = 'a "quoted"\\\nkey\u0000 ü';
    for (const [key, count] of [
      ['frames', 2],
      [odd, 1],
      ['frames', 3],
      ['', 7],
    ] as const) {
      all.meter('digits', key, count);
    }
    expect(values(await read(all), 'aiges_meter_total', 'key')).toEqual({ frames: 5, [odd]: 1, '': 7 });
  });

  it.each([0, -1, Number.NaN, Infinity])('of %d change nothing', async (count) => {
    const all = metrics();
    all.meter('digits', 'frames', 4);
    all.meter('digits', 'frames', count);
    expect(values(await read(all), 'aiges_meter_total', 'key')).toEqual({ frames: 4 });
  });

  it('of more than a hundred keys, or of endless ones, are counted together', async () => {
    const all = metrics();
    all.meter('digits', 'x'.repeat(101), 1);
    for (let key = 0; key < 150; key++) all.meter('digits', `key${key}`, 1);
    all.meter('digits', 'key0', 1);
    all.meter('another', 'key149', 1);
    const told = values(await read(all), 'aiges_meter_total', 'key');
    expect(Object.keys(told)).toHaveLength(102);
    expect(told).toMatchObject({ key0: 2, key99: 1, other: 51, key149: 1 });
  });
});
