import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { FileGate } from '../fixtures/file-gate.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { RawClient } from '../fixtures/raw-client.js';
import { fieldOf, fieldsOf } from '../fixtures/wire.js';
import { callXsf, onceInput, onceRequest } from '../fixtures/xsf-client.js';
import { onceCases } from './once-cases.js';

describe.each([
  ['a blocking engine', false],
  ['an asynchronous engine', true],
])('one-shot calls over xsf to %s', (_name, asyncMode) => {
  let loader: RunningHost;

  beforeAll(async () => {
    loader = await startHost({ plugin: { path: fixtureEngine('scripted'), asyncMode }, service: { maxConcurrent: 2 } });
  });

  afterAll(async () => {
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
    await vi.waitFor(() => {
      expect(counters()).toMatchObject({ jobsQueued: 0, jobsRunning: 0, outputsAlive: 0, pins: 0, engines: 0 });
    });
  });

  it.each(onceCases)('$name', async (wanted) => {
    const answer = await callXsf(loader.client, wanted.request);
    expect(answer.status).toBe(wanted.status ?? status.OK);
    if (wanted.status !== undefined) return;
    expect(answer.response).toMatchObject({ ...wanted.response });
    if (wanted.output === undefined) return;
    if (wanted.output === null) {
      expect(answer.output).toBeNull();
      return;
    }
    const { err, ...rest } = wanted.output;
    expect(answer.output).toMatchObject(rest);
    if (err === undefined) return;
    if (wanted.text === 'any') expect(answer.output?.err).not.toBe('');
    else expect(answer.output?.err).toBe(err);
  });

  it('answers another method name with UNIMPLEMENTED', async () => {
    expect((await loader.client.unary('/utils.XsfCall/Call', Buffer.alloc(0))).code).toBe(status.UNIMPLEMENTED);
  });

  it('answers with exactly the fields that clients know', async () => {
    const text = 'thirty-two bytes of plain text..';
    const request = onceRequest(
      onceInput({
        headers: { sid: 'ase00010001@hu000000000000001500', status: '3', appid: 'demo', uid: 'u1' },
        pl: [
          {
            meta: { name: 'input', dataType: 0, attribute: { encoding: 'utf8', status: '3', seq: '0' } },
            data: Buffer.from(text),
          },
        ],
      }),
    );
    const { bytes } = await callXsf(loader.client, request);
    const message = bytes ?? Buffer.alloc(0);
    const numbers = (part: Uint8Array): number[] => fieldsOf(part).map(({ number }) => number);

    expect(numbers(message)).toEqual([3, 5]);
    const session = fieldOf(message, 3);
    expect(numbers(session)).toEqual([2, 3]);
    expect(fieldOf(session, 2).toString()).toMatch(/^07f000001[\da-f]{4}[\da-f]{6}[\da-f]{7}$/);
    expect(fieldOf(session, 2).subarray(9, 13).toString()).toBe(loader.started.grpc.port.toString(16).padStart(4, '0'));
    const peer = fieldOf(session, 3);
    expect(fieldOf(peer, 1).toString()).toBe('PeerAddr');
    expect(fieldOf(peer, 2).toString()).toBe(`127.0.0.1:${loader.started.grpc.port}`);
    const data = fieldOf(message, 5);
    expect(numbers(data)).toEqual([1]);
    const output = fieldOf(data, 1);
    expect(numbers(output)).toEqual([1, 4, 5]);
    expect(fieldOf(output, 1).toString()).toBe('svc');
    expect(fieldOf(output, 4)).toEqual(Buffer.from([3]));
    const payload = fieldOf(output, 5);
    expect(numbers(payload)).toEqual([1, 2]);
    expect(fieldOf(payload, 2).toString()).toBe(text);
    const meta = fieldOf(payload, 1);
    // TEXT is the default, so the type is not on the wire.
    expect(numbers(meta)).toEqual([1, 3, 3, 3]);
    const attributes = fieldsOf(meta)
      .filter(({ number }) => number === 3)
      .map((entry) => [fieldOf(entry.bytes, 1).toString(), fieldOf(entry.bytes, 2).toString()]);
    expect(Object.fromEntries(attributes)).toEqual({ encoding: 'utf8', seq: '0', status: '3' });
  });

  it('keeps a handle that the client brought', async () => {
    const answer = await callXsf(loader.client, onceRequest(undefined, { s: { h: 'abc' } }));
    expect(answer.response?.s.h).toBe('abc');
    expect(answer.output).toMatchObject({ code: 0 });
  });

  it('knows a handle that has ended, on whichever connection it is named', async () => {
    const first = await callXsf(loader.client, onceRequest());
    const other = new RawClient(loader.started.grpc.port);
    try {
      const again = onceRequest(undefined, { op: 'AIOut', s: { h: first.response?.s.h ?? '' }, param: {} });
      expect((await callXsf(other, again)).output).toMatchObject({
        code: 10101,
        err: 'service instance inactive, already release',
        status: 2,
      });
    } finally {
      other.close();
    }
  });

  it('gives the engine the handle as its tag, and parameters and sid', async () => {
    const answer = await callXsf(loader.client, onceRequest(onceInput({ params: { do: 'echoParams', lang: 'en' } })));
    const lines = Buffer.from(answer.output?.pl[0]?.data ?? []).toString();
    expect(lines).toContain('lang=en');
    expect(lines).toContain('sid=ase00010001@hu000000000000001500');
  });

  it('passes a payload of any size unchanged', async () => {
    for (const size of [1, 1000, 65_535, 65_536, 65_537, 1 << 20, 4_000_000]) {
      const data = Buffer.alloc(size, `${size}-`);
      const input = onceInput({ pl: [{ meta: { name: 'input', attribute: { status: '3' } }, data }] });
      const answer = await callXsf(loader.client, onceRequest(input));
      expect(answer.output?.code).toBe(0);
      expect(Buffer.compare(answer.output?.pl[0]?.data ?? Buffer.alloc(0), data)).toBe(0);
    }
  });

  it('takes a request of several payloads', async () => {
    const pl = ['a', 'b', 'c'].map((name) => ({ meta: { name, attribute: { status: '3' } }, data: Buffer.from(name) }));
    const answer = await callXsf(
      loader.client,
      onceRequest(onceInput({ params: { do: 'echo', outKey: 'result' }, pl })),
    );
    expect(answer.output?.code).toBe(0);
  });

  describe('while calls are inside the engine', () => {
    let gate: FileGate;

    beforeEach(() => {
      gate = new FileGate();
    });

    afterEach(() => {
      gate.open();
      gate.remove();
    });

    const held = (handle: string, waitTime = '60000'): ReturnType<typeof callXsf> =>
      callXsf(
        loader.client,
        onceRequest(onceInput({ params: gate.params }), { s: { h: handle }, param: { SeqNo: '1', waitTime } }),
      );

    it('refuses at once when every licence is taken, on the envelope too, and serves again when one is free', async () => {
      const running = [held('held-1'), held('held-2')];
      let refused = await callXsf(loader.client, onceRequest());
      while (refused.output?.code === 0) refused = await callXsf(loader.client, onceRequest());
      expect(refused.response).toMatchObject({ code: 10110, error_info: 'service license not enough' });
      expect(refused.output).toMatchObject({
        code: 10110,
        err: 'service license not enough',
        status: 2,
        serviceId: '',
      });
      gate.open();
      for (const answer of await Promise.all(running)) expect(answer.output).toMatchObject({ code: 0 });
      expect((await callXsf(loader.client, onceRequest())).output).toMatchObject({ code: 0 });
    });

    it('refuses a second call on a live handle', async () => {
      const running = held('same-handle');
      await gate.entered();
      const refused = await callXsf(loader.client, onceRequest(undefined, { s: { h: 'same-handle' } }));
      expect(refused.response).toMatchObject({ code: 10110, error_info: 'handle:same-handle is already stored' });
      gate.open();
      await running;
    });

    it('answers 10102 when the engine is slower than waitTime', async () => {
      expect((await held('slow', '30')).output).toMatchObject({
        code: 10102,
        err: 'service exec once request timeout',
        status: 2,
      });
      gate.open();
    });

    it('waits 500 ms when the request does not say how long', async () => {
      const request = onceRequest(onceInput({ params: gate.params }), { param: { SeqNo: '1' } });
      expect((await callXsf(loader.client, request)).output).toMatchObject({ code: 10102 });
      gate.open();
    });
  });
});

describe('one-shot calls over xsf to an asynchronous engine that misbehaves', () => {
  it('answers 10910 when the callback reports a failure', async () => {
    const loader = await startHost({ plugin: { path: fixtureEngine('scripted'), asyncMode: true } });
    const answer = await callXsf(loader.client, onceRequest(onceInput({ params: { do: 'fail', code: '9' } })));
    expect(answer.output).toMatchObject({ code: 10910, err: 'scripted error 9;code=9', status: 2 });
    await loader.stop();
  });

  it('gives the licence back at the deadline when the callback never comes, and refuses the tag until it does', async () => {
    const loader = await startHost({
      plugin: { path: fixtureEngine('scripted'), asyncMode: true },
      service: { maxConcurrent: 1 },
    });
    const lost = onceRequest(onceInput({ params: { do: 'echo', callback: 'never' } }), {
      s: { h: 'lost' },
      param: { SeqNo: '1', waitTime: '30' },
    });
    for (let round = 0; round < 3; round++) {
      const answer = await callXsf(loader.client, { ...lost, s: { h: `lost-${round}` } });
      expect(answer.output).toMatchObject({ code: 10102 });
    }
    expect((await callXsf(loader.client, onceRequest())).output).toMatchObject({ code: 0 });
    expect((await callXsf(loader.client, onceRequest(undefined, { s: { h: 'lost-0' } }))).output).toMatchObject({
      code: 10105,
      err: 'wrapper handle repeat acquire async chan',
    });
    expect(counters().tombstones).toBe(3);
    await loader.stop();
  });
});
