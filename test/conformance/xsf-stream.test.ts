import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';

const idle = { jobsQueued: 0, jobsRunning: 0, outputsAlive: 0, pins: 0, sessions: 0, asyncWaiting: 0 };
const permits = 4;

describe.each([
  ['a blocking engine', false],
  ['an asynchronous engine', true],
])('streams over xsf to %s', (_name, asyncMode) => {
  let loader: RunningHost;

  const open = async (params: Record<string, string> = {}): Promise<StreamClient> => {
    const stream = new StreamClient(loader.client);
    expect((await stream.create({ params })).output).toMatchObject({ serviceId: 'svc', code: 0, status: 0, pl: [] });
    return stream;
  };

  /** Polls until there is a result or the end of the session. */
  const result = async (stream: StreamClient): Promise<XsfAnswer> => {
    for (;;) {
      const answer = await stream.poll();
      if (answer.output?.code !== 0 || answer.output.pl.length > 0) return answer;
    }
  };

  beforeAll(async () => {
    loader = await startHost({
      plugin: { path: fixtureEngine('scripted'), asyncMode },
      service: { maxConcurrent: permits },
    });
  });

  afterAll(async () => {
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
    await vi.waitFor(() => {
      expect(counters()).toMatchObject({ ...idle, engines: 0 });
    });
  });

  it('goes from create to the last result as the official client drives it', async () => {
    const stream = await open();
    const texts: string[] = [];
    const seqs: (string | undefined)[] = [];
    const take = (answer: XsfAnswer): void => {
      expect(answer.output?.code).toBe(0);
      texts.push(...textsOf(answer));
      seqs.push(...(answer.output?.pl ?? []).map(({ meta }) => meta.attribute['seq']));
    };
    take(await stream.write(1, 'one'));
    take(await stream.write(2, 'two'));
    take(await stream.write(3, 'three', 2));
    for (;;) {
      const answer = await result(stream);
      take(answer);
      if (answer.output?.status === 2) break;
    }
    expect(texts.filter((text) => text !== '')).toEqual(['one', 'two', 'three']);
    expect(seqs).toEqual(seqs.map((_seq, index) => String(index + 1)));
    expect((await stream.abort()).output).toMatchObject({
      code: 10101,
      err: 'service instance inactive, already release',
      status: 2,
    });
  });

  it('gives results before the last input, without another write', async () => {
    const stream = await open();
    await stream.write(1, 'early');
    expect(textsOf(await result(stream))).toEqual(['early']);
    await stream.abort();
  });

  it('puts packets in order, on whichever connection they come', async () => {
    const stream = await open();
    const other = new RawClient(loader.started.grpc.port);
    const onOther = new StreamClient(other);
    onOther.handle = stream.handle;
    try {
      const texts: string[] = [];
      texts.push(...textsOf(await onOther.write(2, 'two')));
      texts.push(...textsOf(await stream.write(1, 'one')));
      texts.push(...textsOf(await onOther.write(3, 'three', 2)));
      while (texts.length < 3) texts.push(...textsOf(await result(stream)));
      expect(texts).toEqual(['one', 'two', 'three']);
    } finally {
      other.close();
    }
  });

  it('repeats the attributes of the engine under those that the request expects', async () => {
    const stream = await open({ 'desc.lang': 'en', 'desc.encoding': 'engine' });
    await stream.write(1, 'x');
    const answer = await result(stream);
    expect(answer.output?.pl[0]?.meta.attribute).toMatchObject({ lang: 'en', encoding: 'utf8', seq: '1' });
    await stream.abort();
  });

  it('reports a failed create on the next call', async () => {
    const stream = await open({ create: 'fail', code: '5' });
    expect((await result(stream)).output).toMatchObject({ code: 10905, err: 'scripted error 5;code=5', status: 2 });
    expect((await stream.poll()).output).toMatchObject({ code: 10101 });
  });

  it('acknowledges a write that fails and reports it later', async () => {
    const stream = await open({ write: 'fail', code: '6' });
    expect((await stream.write(1, 'x')).output).toMatchObject({ code: 0 });
    expect((await result(stream)).output).toMatchObject({ code: 10907, err: 'scripted error 6;code=6', status: 2 });
  });

  it('refuses results that the request does not expect', async () => {
    const stream = await open({ outKey: 'other' });
    await stream.write(1, 'x', 2);
    expect((await result(stream)).output).toMatchObject({
      code: 10106,
      err: 'wrapper output data invalid(key or type)',
    });
  });

  it(`reports a ${asyncMode ? 'callback' : 'read'} that failed`, async () => {
    const stream = await open(asyncMode ? { callbackFail: '7' } : { read: 'fail', code: '7' });
    await stream.write(1, 'x');
    const code = asyncMode ? 10910 : 10908;
    expect((await result(stream)).output).toMatchObject({ code, err: 'scripted error 7;code=7', status: 2 });
  });

  it('refuses sessions beyond the licences, and has one free as soon as a last result is seen', async () => {
    const streams: StreamClient[] = [];
    for (let n = 0; n < permits; n++) streams.push(await open());
    const refused = await new StreamClient(loader.client).create();
    expect(refused.response).toMatchObject({ code: 10110, error_info: 'service license not enough' });
    for (const stream of streams) {
      await stream.write(1, 'x', 2);
      while ((await result(stream)).output?.status !== 2);
      // At once: no time for anything to be given back late.
      await (await open()).abort();
    }
  });

  it('destroys each stream once, however it ended, and never lets two calls into one at a time', async () => {
    const before = await stats();
    const ended = await open();
    await ended.write(1, 'x', 2);
    while ((await result(ended)).output?.status !== 2);
    await (await open()).abort();
    const failed = await open({ write: 'fail', code: '6' });
    await failed.write(1, 'x');
    await result(failed);
    await open({ create: 'fail', code: '5' }).then(result);
    const after = await stats();
    expect(after('create') - before('create')).toBe(4);
    expect(after('destroy') - before('destroy')).toBe(3);
    expect(after('overlap')).toBe(0);
  });

  it('meets no spurious refusal with as many clients as licences', async () => {
    const rounds = 100;
    let refused = 0;
    const lanes = Array.from({ length: permits }, async () => {
      for (let round = 0; round < rounds; round++) {
        const stream = new StreamClient(loader.client);
        if ((await stream.create()).output?.code !== 0) refused++;
        await stream.write(1, 'x', 2);
        while ((await result(stream)).output?.status !== 2);
      }
    });
    await Promise.all(lanes);
    expect(refused).toBe(0);
  });

  async function stats(): Promise<(name: string) => number> {
    const answer = await callXsf(loader.client, onceRequest(onceInput({ params: { do: 'stats' } })));
    const text = textsOf(answer).join('');
    return (name) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(text)?.[1]);
  }
});
