import { afterEach, describe, expect, it, vi } from 'vitest';
import type { NativePluginConfig } from '../../src/config/config.js';
import { counters } from '../../src/runtimes/native/index.js';
import { CallRecord } from '../fixtures/call-record.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { openEvents } from '../fixtures/event-client.js';
import { eventually } from '../fixtures/eventually.js';
import { type HostChanges, type RunningHost, startHost } from '../fixtures/host.js';
import { patience } from '../fixtures/loader.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';

let loader: RunningHost;

interface Changes extends Omit<HostChanges, 'plugin'> {
  readonly plugin?: Partial<NativePluginConfig>;
}

async function start(asyncMode: boolean, { plugin, ...changes }: Changes): Promise<void> {
  loader = await startHost({ ...changes, plugin: { path: fixtureEngine('scripted'), asyncMode, ...plugin } });
}

afterEach(async () => {
  expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
  await vi.waitFor(() => {
    expect(counters()).toMatchObject({ sessions: 0, outputsAlive: 0, asyncWaiting: 0, tombstones: 0, engines: 0 });
  }, patience);
});

async function open(params: Record<string, string>): Promise<StreamClient> {
  const stream = new StreamClient(loader.client);
  expect((await stream.create({ params })).output).toMatchObject({ code: 0 });
  return stream;
}

/** Polls until the session has ended. */
async function failure(stream: StreamClient): Promise<XsfAnswer['output']> {
  let answer = await stream.poll();
  while (answer.output?.code === 0) answer = await stream.poll();
  return answer.output;
}

const engines = [
  ['a blocking engine', false],
  ['an asynchronous engine', true],
] as const;

describe('an end that is a status without key and data', () => {
  it.each(engines)('ends the stream, after what came before it (%s)', async (_name, asyncMode) => {
    await start(asyncMode, {});
    const body = { parameter: { svc: { end: 'bare', results: 2 } }, payload: { a: { text: 'aGk=' } } };
    const { port } = new URL(loader.httpUrl);
    const events = await openEvents(Number(port), '/v1/private/svc', JSON.stringify(body));
    const documents = (await events.rest()).map(({ data }) => JSON.parse(data) as { header: object });
    expect(documents.map(({ header }) => header)).toMatchObject([
      { code: 0, status: 1 },
      { code: 0, status: 2 },
    ]);
  });
});

describe('a result of a callback that is larger than [limits].resultBytes', () => {
  it('fails the stream with a text that names its size and the limit', async () => {
    await start(true, { limits: { resultBytes: 64 * 1024 } });
    const stream = await open({ callback: 'sync' });
    await stream.write(1, 'x'.repeat(100_000));
    const output = await failure(stream);
    expect(output).toMatchObject({ code: 10910, status: 2 });
    expect(output?.err).toMatch(/^the stream gave a result of 100\d\d\d bytes, \[limits\]\.resultBytes allows 65536/);
  });
});

describe('results of callbacks that nobody takes', () => {
  // Some are on their way to the client already: those come on top.
  it.each([
    ['more than [limits].results', { results: 50 }, 'x'],
    ['more than [limits].resultBytes', { resultBytes: 64 * 1024 }, 'x'.repeat(10_000)],
  ])('fail the stream when they are %s, with a text that says so', async (_name, limits, text) => {
    await start(true, { limits });
    const stream = await open({ results: '500', callback: 'sync' });
    await stream.write(1, text);
    const output = await failure(stream);
    expect(output).toMatchObject({ code: 10910, status: 2 });
    expect(output?.err).toMatch(
      /^the stream gave results faster than they were taken: \d+ with \d+ bytes wait already/,
    );
    expect((await stream.poll()).output).toMatchObject({ code: 10101 });
  });

  it('all reach the client when they are within both', async () => {
    await start(true, { limits: { results: 500, resultBytes: 1 << 20 } });
    const stream = await open({ results: '500', callback: 'sync' });
    let answer = await stream.write(1, 'x', 2);
    let results = textsOf(answer).length;
    while (answer.output?.status !== 2) {
      answer = await stream.poll();
      expect(answer.output?.code).toBe(0);
      results += textsOf(answer).length;
    }
    expect(results).toBe(500);
  }, 180_000);
});

describe.each(engines)('an answer of %s that claims more than [limits].outputBytes', (_name, asyncMode) => {
  const text = (op: string): string => `${op} gave an answer that claims more than 1000 bytes`;

  it('fails its call, and the next one is served', async () => {
    await start(asyncMode, { limits: { outputBytes: 1000 } });
    const fill = (bytes: number): Promise<XsfAnswer> =>
      callXsf(loader.client, onceRequest(onceInput({ params: { do: 'fill', bytes: String(bytes) } })));
    const { output } = await fill(1001);
    expect(output?.code).toBe(asyncMode ? 10910 : 10909);
    expect(output?.err).toContain(text(asyncMode ? 'wrapperCallback' : 'wrapperExec'));
    expect((await fill(1000)).output).toMatchObject({ code: 0 });
  });

  it('fails its stream', async () => {
    await start(asyncMode, { limits: { outputBytes: 1000 } });
    const stream = await open({});
    await stream.write(1, 'x'.repeat(1001));
    const output = await failure(stream);
    expect(output?.code).toBe(asyncMode ? 10910 : 10908);
    expect(output?.err).toContain(text(asyncMode ? 'wrapperCallback' : 'wrapperRead'));
  });
});

describe('a blocking engine that needs more than 5 s after its input has ended', () => {
  it('gives its result to who listens for events', async () => {
    await start(false, {});
    // Each read that gives nothing is followed by a pause of 50 ms.
    const body = {
      parameter: { svc: { lag: '101' } },
      payload: { input: { text: Buffer.from('at last').toString('base64'), status: 3 } },
    };
    const events = await openEvents(Number(new URL(loader.httpUrl).port), '/v1/private/svc', JSON.stringify(body));
    const given = (await events.rest()).filter(({ event }) => event !== null);
    expect(JSON.parse(given[0]?.data ?? 'null')).toMatchObject({
      header: { code: 0 },
      payload: { result: { text: 'at last' } },
    });
  });
});

describe('the handle of a stream that was aborted before its final callback', () => {
  const abortOne = async (h: string): Promise<void> => {
    const record = new CallRecord();
    const stream = new StreamClient(loader.client);
    await stream.create({ params: { callback: 'never', ...record.params } }, { s: { h } });
    await stream.write(1, 'x');
    // One that is aborted before the engine knows of it owes nothing.
    await eventually(() => record.calls).toContain('write');
    await stream.abort();
    record.remove();
  };

  /** What a new stream with this handle comes to. */
  const openAgain = async (h: string): Promise<number | undefined> => {
    const stream = new StreamClient(loader.client);
    await stream.create({}, { s: { h } });
    let { output } = await stream.write(1, 'x', 2);
    while (output?.code === 0 && output.status !== 2) ({ output } = await stream.poll());
    return output?.code;
  };

  it('is refused', async () => {
    await start(true, { plugin: { tagGraceMs: 60_000 } });
    await abortOne('client-handle-of-the-first-test');
    expect(await openAgain('client-handle-of-the-first-test')).toBe(10105);
  });

  it('is free again after [plugin].tagGrace', async () => {
    await start(true, { plugin: { tagGraceMs: 20 } });
    await abortOne('client-handle-of-the-second-test');
    await expect.poll(() => openAgain('client-handle-of-the-second-test'), { timeout: 30_000 }).toBe(0);
  });
});

describe.each(engines)('a stream of %s with two inputs', (_name, asyncMode) => {
  /** Results are taken when the input has ended and not before: so the client sees when that is. */
  const streams = { ttlMs: 15_000, rollMs: 5000, realTime: false, gapMs: 5000, maxPackets: 1000 };

  it('ends with the last declared one, however long before the other has ended', async () => {
    await start(asyncMode, { service: { streams, inputs: ['audio', 'text'] } });
    const stream = await open({ ends: '2' });
    await stream.write(1, 'a1', 1, 'audio');
    await stream.write(2, 'a2', 2, 'audio');
    // The other one has not even begun.
    for (let n = 0; n < 3; n++) expect((await stream.poll(50)).output).toMatchObject({ code: 0, status: 0, pl: [] });
    await stream.write(3, 't1', 1, 'text');
    let answer = await stream.write(4, 't2', 2, 'text');
    const texts = textsOf(answer);
    while (answer.output?.status !== 2) {
      answer = await stream.poll();
      expect(answer.output?.code).toBe(0);
      texts.push(...textsOf(answer));
    }
    expect(texts).toEqual(['a1', 'a2', 't1', 't2']);
  });

  it('goes on after a packet with an input that there is none of', async () => {
    await start(asyncMode, { service: { streams, inputs: ['audio', 'text'] } });
    const stream = await open({ ends: '2' });
    expect((await stream.write(1, 'v', 2, 'video')).output).toMatchObject({ code: 10009, err: 'input invalid data' });
    await stream.write(1, 'a', 2, 'audio');
    let answer = await stream.write(2, 't', 2, 'text');
    const texts = textsOf(answer);
    while (answer.output?.status !== 2) {
      answer = await stream.poll();
      expect(answer.output?.code).toBe(0);
      texts.push(...textsOf(answer));
    }
    expect(texts).toEqual(['a', 't']);
  });

  it('has ended as soon as those that were seen have, where none is declared', async () => {
    await start(asyncMode, { service: { streams } });
    const stream = await open({ ends: '2' });
    let answer = await stream.write(1, 'a', 2, 'audio');
    while (answer.output?.pl.length === 0) answer = await stream.poll();
    expect(textsOf(answer)).toEqual(['a']);
    await stream.abort();
  });
});
