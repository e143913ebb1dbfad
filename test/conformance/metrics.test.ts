import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import { eventually } from '../fixtures/eventually.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { FileGate } from '../fixtures/file-gate.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { type Family, parsePrometheus } from '../fixtures/prometheus.js';
import { askCommand } from '../fixtures/toolbox-client.js';
import { WsClient } from '../fixtures/ws-client.js';
import { callXsf, onceInput, onceRequest, StreamClient } from '../fixtures/xsf-client.js';

const labels = { sub: 'ase', name: 'svcName', idc: 'dx', cs: '3s' };

describe('ToolBox.cmdserver metrics of a loader with a C engine', () => {
  let loader: RunningHost;

  beforeAll(async () => {
    loader = await startHost({
      plugin: { path: fixtureEngine('scripted') },
      service: { maxConcurrent: 2 },
      // A window that outlasts the test.
      metrics: { labels, slices: 10_000, sliceMs: 1000 },
    });
  });

  afterAll(async () => {
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
  });

  const read = async (options = {}): Promise<ReadonlyMap<string, Family>> =>
    parsePrometheus((await askCommand(loader.client, { cmd: 'metrics', ...options })).body);

  const value = (families: ReadonlyMap<string, Family>, name: string, wanted: Record<string, string> = {}): number => {
    const found = families
      .get(name)
      ?.samples.filter((sample) =>
        Object.entries({ ...labels, ...wanted }).every(([label, text]) => sample.labels[label] === text),
      );
    expect(found, name).toHaveLength(1);
    return found?.[0]?.value ?? Number.NaN;
  };

  const call = (params: Record<string, string>): ReturnType<typeof callXsf> =>
    callXsf(loader.client, onceRequest(onceInput({ params })));

  it('counts answers by the code that clients got, and tells how long they took', async () => {
    expect((await call({ do: 'sleep', ms: '50' })).output?.code).toBe(0);
    expect((await call({ do: 'fail', code: '7' })).output?.code).toBe(10909);
    expect(
      (await callXsf(loader.client, onceRequest(onceInput(), { op: 'AIOut', param: {}, s: { h: 'x' } }))).output?.code,
    ).toBe(10008);
    const [ns, ms] = [await read(), await read({ timeUnit: 'ms' })];
    for (const code of ['0', '10909', '10008']) {
      expect(value(ns, 'module_request', { type: 'passive', code })).toBe(1);
    }
    expect(value(ns, 'module_delay', { type: 'max' })).toBeGreaterThan(50e6);
    expect(value(ms, 'module_delay', { type: 'max' })).toBeCloseTo(value(ns, 'module_delay', { type: 'max' }) / 1e6, 5);
    expect(value(ns, 'module_delay', { type: 'qps' })).toBeCloseTo(3 / 10_000, 10);
    expect(value(ns, 'module_delay', { type: 'min' })).toBeLessThanOrEqual(value(ns, 'module_delay', { type: 'avg' }));
  });

  it('tells what is going on at this moment, in the loader and inside the engine', async () => {
    const gate = new FileGate();
    const stream = new StreamClient(loader.client);
    await stream.create();
    const inside = call(gate.params);
    await gate.entered();
    const busy = await read();
    expect(value(busy, 'concurrent_statistics')).toBe(1);
    expect(value(busy, 'aiges_permits', { service: 'svc' })).toBe(2);
    expect(value(busy, 'aiges_running', { service: 'svc' })).toBe(2);
    expect(value(busy, 'aiges_sessions', { service: 'svc' })).toBe(1);
    // What opened the stream may still be on its way out of the engine.
    await eventually(async () => value(await read(), 'aiges_native_jobs_running')).toBe(1);
    expect((await call({})).output?.code).toBe(10110);
    expect(value(await read(), 'module_request', { type: 'passive', code: '10110' })).toBe(1);
    gate.open();
    await inside;
    gate.remove();
    await stream.abort();
    const idle = await read();
    for (const name of ['aiges_running', 'aiges_sessions']) expect(value(idle, name, { service: 'svc' })).toBe(0);
    expect(value(idle, 'concurrent_statistics')).toBe(0);
  });

  it('counts requests over HTTP and WebSocket, at /metrics too', async () => {
    const ok = { parameter: { svc: {} }, payload: { input: { text: Buffer.from('x').toString('base64'), status: 3 } } };
    const route = `${loader.httpUrl}/v1/private/svc`;
    for (const body of [ok, { parameter: { svc: { do: 'fail', code: '7' } }, payload: ok.payload }]) {
      await (await fetch(route, { method: 'POST', body: JSON.stringify(body) })).text();
    }
    const gate = new FileGate();
    const leaving = new AbortController();
    const waiting = { parameter: { svc: gate.params }, payload: ok.payload };
    const cut = fetch(route, { method: 'POST', body: JSON.stringify(waiting), signal: leaving.signal });
    await gate.entered();
    leaving.abort();
    await expect(cut).rejects.toThrow('aborted');
    const client = await WsClient.connect(route);
    client.send({ parameter: { svc: {} }, payload: { input: { text: '', status: 2 } } });
    const left = await WsClient.connect(route);
    const page = async (): Promise<ReadonlyMap<string, Family>> => {
      const answer = await fetch(`${loader.httpUrl}/metrics`);
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
      return parsePrometheus(await answer.text());
    };
    const open = async (): Promise<number> => value(await page(), 'aiges_ws_open', { service: 'svc' });
    await client.ended;
    await eventually(open).toBe(1);
    left.socket.terminate();
    await eventually(open).toBe(0);
    await eventually(async () => value(await page(), 'aiges_http_open', { service: 'svc' })).toBe(0);
    gate.open();
    const families = await page();
    for (const code of ['0', '10909', '10102']) {
      expect(value(families, 'aiges_http_requests_total', { service: 'svc', code })).toBe(1);
    }
    for (const code of ['0', '10102']) {
      expect(value(families, 'aiges_ws_connections_total', { service: 'svc', code })).toBe(1);
    }
    gate.remove();
  });

  it('adds up what the engine meters, and what of it was dropped', async () => {
    await call({ do: 'control', times: '3' });
    await eventually(async () => (await read()).get('aiges_meter_total')?.samples).toEqual([
      { part: '', labels: { ...labels, service: 'svc', key: 'm' }, value: 1 + 2 + 3 },
    ]);
    await call({ do: 'controlLate' });
    const families = await read();
    expect(value(families, 'aiges_native_control_dropped_total')).toBe(counters().controlDropped);
    expect(counters().controlDropped).toBeGreaterThan(0);
  });
});
