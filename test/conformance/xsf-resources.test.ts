import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { eventually } from '../fixtures/eventually.js';
import { FileGate } from '../fixtures/file-gate.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { patience } from '../fixtures/loader.js';
import type { Strings } from '../fixtures/protocol.js';
import { textOf, WsClient } from '../fixtures/ws-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';

const done = { code: 0, err: '', serviceId: 'svc', status: 0, pl: [] };
const failed = (code: number, err: string): object => ({ code, err, status: 2, serviceId: '', pl: [] });

/** An operation on resources; `attribute` tells the engine what to do with the content. */
function operation(
  loader: RunningHost,
  op: string,
  param: Strings,
  text: string | null = null,
  attribute: Strings = {},
): Promise<XsfAnswer> {
  const pl = text === null ? [] : [{ meta: { name: 'patch', attribute }, data: Buffer.from(text) }];
  const input = onceInput({ params: {}, expect: [], pl });
  return callXsf(loader.client, onceRequest(input, { op, param: { waitTime: '20000', ...param } }));
}

function call(loader: RunningHost, params: Strings, waitTime = 20_000): Promise<XsfAnswer> {
  const request = onceRequest(onceInput({ params: { do: 'resources', ...params } }), {
    param: { SeqNo: '1', waitTime: String(waitTime) },
  });
  return callXsf(loader.client, request);
}

async function stat(loader: RunningHost, name: string): Promise<number> {
  const [text = ''] = textsOf(await call(loader, { do: 'stats' }));
  return Number(new RegExp(`\\b${name}=(\\d+)`).exec(text)?.[1]);
}

async function nothingAlive(): Promise<void> {
  await vi.waitFor(() => {
    expect(counters()).toMatchObject({
      jobsQueued: 0,
      jobsRunning: 0,
      outputsAlive: 0,
      pins: 0,
      sessions: 0,
      asyncWaiting: 0,
      engines: 0,
    });
  }, patience);
}

describe.each([
  ['a blocking engine', false],
  ['an asynchronous engine', true],
])('resources over xsf to %s', (_name, asyncMode) => {
  let loader: RunningHost;
  let gate: FileGate;
  /** Uses and operations that the engine found in the wrong place, before the test. */
  let bad: number;

  beforeAll(async () => {
    loader = await startHost({
      plugin: { path: fixtureEngine('scripted'), asyncMode },
      service: { resources: true, maxConcurrent: 4 },
      limits: { resources: 3 },
    });
  });

  beforeEach(async () => {
    gate = new FileGate();
    bad = await stat(loader, 'badRes');
  });

  afterEach(async () => {
    gate.remove();
    // What a test has left: every id that it may have used.
    for (const resId of ['1', '2', '3', '7', '8', '9']) await operation(loader, 'AIUnLoad', { resId });
    expect(await stat(loader, 'badRes')).toBe(bad);
    expect(await stat(loader, 'resources')).toBe(0);
  });

  afterAll(async () => {
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
    await nothingAlive();
  });

  it('loads, uses, replaces and unloads', async () => {
    const loaded = await operation(loader, 'AILoad', {}, 'first', { patch_id: 'p' });
    expect(loaded.output).toMatchObject(done);
    const resId = loaded.response?.param['resId'] ?? '';
    expect(resId).toMatch(/^[1-9]\d*$/);
    await operation(loader, 'AILoad', { resId: '7' }, 'seven');
    expect(textsOf(await call(loader, { psrIds: `${resId}, 7` }))).toEqual([`${resId}=first\n7=seven`]);
    expect(textsOf(await call(loader, { do: 'described', psrIds: resId }))).toEqual([
      `${resId}=patch 4 2 5 aligned=64 nul=yes desc=patch_id=p\n`,
    ]);
    expect((await operation(loader, 'AIHotword', { resId }, 'second')).output).toMatchObject(done);
    expect(textsOf(await call(loader, { psrIds: resId }))).toEqual([`${resId}=second`]);
    expect((await operation(loader, 'AIUnLoad', { resId })).output).toMatchObject(done);
    expect((await call(loader, { psrIds: resId })).output).toMatchObject(failed(10009, 'input invalid data'));
    expect(textsOf(await call(loader, {}))).toEqual(['(null)']);
  });

  it('shows a stream what it named, and unloads that only after the stream', async () => {
    await operation(loader, 'AILoad', { resId: '7' }, 'seven');
    const stream = new StreamClient(loader.client);
    await stream.create({ params: { write: 'resources', psrIds: '7' } });
    const texts = textsOf(await stream.write(1, 'x'));
    while (texts.length === 0) texts.push(...textsOf(await stream.poll()));
    expect(texts).toEqual(['7=seven']);
    expect((await operation(loader, 'AIUnLoad', { resId: '7', waitTime: '20' })).output).toMatchObject(
      failed(10102, 'service exec once request timeout'),
    );
    // It was not unloaded, and may be used again.
    expect(textsOf(await call(loader, { psrIds: '7' }))).toEqual(['7=seven']);
    const unload = operation(loader, 'AIUnLoad', { resId: '7' });
    await stream.abort();
    expect((await unload).output).toMatchObject(done);
  });

  it('are named over HTTP and WebSocket too, in the header or as a parameter', async () => {
    await operation(loader, 'AILoad', { resId: '7' }, 'seven');
    await operation(loader, 'AILoad', { resId: '8' }, 'eight');
    const route = `${loader.httpUrl}/v1/private/svc`;
    const post = async (header: Strings, params: Strings): Promise<unknown> => {
      const parameter = { svc: { do: 'resources', ...params } };
      const answer = await fetch(route, { method: 'POST', body: JSON.stringify({ header, parameter }) });
      const { header: said, payload } = (await answer.json()) as {
        header: { code: number; message: string };
        payload: { result?: { text: string } } | null;
      };
      return said.code === 0 ? payload?.result?.text : said;
    };
    expect(await post({ psrIds: '7' }, {})).toBe('7=seven');
    expect(await post({}, { psrIds: '8, 7,8' })).toBe('8=eight\n7=seven');
    expect(await post({}, {})).toBe('(null)');
    expect(await post({ psrIds: '9' }, {})).toMatchObject({ code: 10009 });
    expect(await post({ psrIds: 'x' }, {})).toMatchObject({
      code: 10009,
      message: expect.stringContaining('4294967295 for psrIds but found "x"') as string,
    });
    const client = await WsClient.connect(route);
    const input = { text: Buffer.from('x').toString('base64'), status: 2 };
    client.send({ header: { psrIds: '7' }, parameter: { svc: { write: 'resources' } }, payload: { input } });
    expect((await client.rest()).map((frame) => textOf(frame))).toContain('7=seven');
    const events = await fetch(route, {
      method: 'POST',
      headers: { accept: 'text/event-stream' },
      body: JSON.stringify({ header: { psrIds: '8' }, parameter: { svc: { write: 'resources' } }, payload: { input } }),
    });
    expect(await events.text()).toContain('8=eight');
  });

  it("gives the engine's text and code", async () => {
    const refused = await operation(loader, 'AILoad', { resId: '7' }, 'x', { load: 'fail', code: '3' });
    expect(refused.output).toMatchObject(failed(10903, 'scripted error 3;code=3'));
    await operation(loader, 'AILoad', { resId: '7' }, 'x', { unload: 'failOnce', code: '4' });
    expect((await operation(loader, 'AIUnLoad', { resId: '7' })).output).toMatchObject(
      failed(10904, 'scripted error 4;code=4'),
    );
    expect(textsOf(await call(loader, { psrIds: '7' }))).toEqual(['7=x']);
    const replaced = await operation(loader, 'AIHotword', { resId: '7' }, 'y', { load: 'fail', code: '5' });
    expect(replaced.output).toMatchObject(failed(10903, 'scripted error 5;code=5'));
    expect((await call(loader, { psrIds: '7' })).output).toMatchObject({ code: 10009 });
  });

  it('refuses to load beyond the limit', async () => {
    for (const resId of ['7', '8', '9']) await operation(loader, 'AILoad', { resId }, 'x');
    expect((await operation(loader, 'AILoad', {}, 'x')).output).toMatchObject(
      failed(10903, '3 resources are loaded, [limits].resources allows no more'),
    );
  });

  it('answers when the time is up, and knows what the engine did then', async () => {
    const waiting = { load: 'waitFile', file: gate.params.file };
    // Long enough to reach the engine on a busy machine.
    const load = operation(loader, 'AILoad', { resId: '7', waitTime: '10000' }, 'slow', waiting);
    await gate.entered();
    expect((await load).output).toMatchObject({ code: 10102 });
    expect((await operation(loader, 'AILoad', { resId: '7' }, 'other')).output).toMatchObject({ code: 10903 });
    gate.open();
    await eventually(() => stat(loader, 'resources')).toBe(1);
    await eventually(async () => textsOf(await call(loader, { psrIds: '7' }))).toEqual(['7=slow']);
  });

  it('lets a running call keep the old content and the next one wait for the new', async () => {
    await operation(loader, 'AILoad', { resId: '7' }, 'old');
    const running = call(loader, { ...gate.params, psrIds: '7' });
    await gate.entered();
    const replace = operation(loader, 'AIHotword', { resId: '7' }, 'new');
    const impatient = await call(loader, { psrIds: '7' }, 20);
    expect(impatient.output).toMatchObject({ code: 10102 });
    const patient = call(loader, { psrIds: '7' });
    gate.open();
    expect((await running).output).toMatchObject({ code: 0 });
    expect((await replace).output).toMatchObject(done);
    expect(textsOf(await patient)).toEqual(['7=new']);
  });

  it('survives everybody at once', async () => {
    await operation(loader, 'AILoad', { resId: '7' }, '0');
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_each, n) =>
        n % 4 === 0
          ? operation(loader, 'AIHotword', { resId: '7' }, String(n))
          : n % 10 === 1
            ? operation(loader, 'AIUnLoad', { resId: '7' })
            : n % 10 === 3
              ? operation(loader, 'AILoad', { resId: '7' }, String(n))
              : call(loader, { psrIds: '7' }),
      ),
    );
    for (const { output } of answers) expect([0, 10009, 10110, 10903, 10904]).toContain(output?.code);
  });
});

describe('resources at the end of the loader', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'aiges-resources-'));
  });

  afterEach(async () => {
    rmSync(folder, { recursive: true, force: true });
    await nothingAlive();
  });

  it('are unloaded before wrapperFini, whatever the engine says to that', async () => {
    const log = join(folder, 'log');
    const loader = await startHost({
      plugin: { path: fixtureEngine('scripted') },
      service: { resources: true, pluginConfig: new Map([['finiLog', log]]) },
    });
    for (const resId of ['1', '2']) await operation(loader, 'AILoad', { resId }, 'x', { unloadLog: log });
    await operation(loader, 'AILoad', { resId: '3' }, 'x', { unload: 'fail' });
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
    expect(readFileSync(log, 'utf8')).toBe('unload\nunload\nfini\n');
  });

  it('are waited for while they are being loaded', async () => {
    const log = join(folder, 'log');
    const gate = new FileGate();
    const loader = await startHost({
      plugin: { path: fixtureEngine('scripted') },
      service: { resources: true, pluginConfig: new Map([['finiLog', log]]) },
    });
    const load = operation(loader, 'AILoad', { resId: '1' }, 'x', {
      load: 'waitFile',
      file: gate.params.file,
      unloadLog: log,
    });
    await gate.entered();
    const drained = loader.host.drain();
    gate.open();
    expect((await load).output).toMatchObject(done);
    expect(await drained).toEqual({ stuck: 0, ended: true });
    expect(readFileSync(log, 'utf8')).toBe('unload\nfini\n');
    loader.client.close();
    gate.remove();
  });
});

describe('resources that are not on', () => {
  it.each([
    ['without [plugin].resources', 'scripted', false],
    ['for an engine that takes none', 'no_resources', true],
  ])('are a successful nothing %s, and psrIds is not looked at', async (_name, engine, resources) => {
    const loader = await startHost({ plugin: { path: fixtureEngine(engine) }, service: { resources } });
    const before = await stat(loader, 'loadRes');
    for (const op of ['AILoad', 'AIUnLoad', 'AIHotword', 'AIDetect']) {
      const answer = await operation(loader, op, { resId: 'x' });
      expect(answer.response).toMatchObject({ code: 0, param: {} });
      expect(answer.output).toMatchObject(done);
    }
    expect(textsOf(await call(loader, { psrIds: '7,x' }))).toEqual(['(null)']);
    expect(await stat(loader, 'loadRes')).toBe(before);
    await loader.stop();
    await nothingAlive();
  });
});
