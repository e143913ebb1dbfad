import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { wireOptions } from '../fixtures/grpc-servers.js';
import { eventually } from '../fixtures/eventually.js';
import { gate } from '../fixtures/fake-runtime.js';
import { testConfig } from '../fixtures/host.js';
import { framed, Http2Client, readAll } from '../fixtures/http2-client.js';
import { LoaderProcess } from '../fixtures/loader-process.js';
import {
  decodeOutput,
  decodeResponse,
  encodeRequest,
  type InputShape,
  type OutputShape,
} from '../fixtures/protocol.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';

// What the end of a thread costs: the calls in it, and nothing else.

const instances = 2;
const lanes = 16;
const mebibyte = 1 << 20;
const limits = { maxReceiveBytes: 32 * mebibyte, maxSendBytes: 32 * mebibyte };
/** A thread that has ended several times is started after 10 s, which takes its time on a busy machine. */
const patience = { timeout: 120_000, interval: 5 };
const wrapper = fileURLToPath(new URL('../fixtures/wrappers/scripted.ts', import.meta.url));

let folder: string;
let crashFile: string;
let loader: LoaderProcess;
let port: number;
let http: string;
let client: RawClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-crash-'));
  crashFile = join(folder, 'crash');
  loader = new LoaderProcess();
  const ports = await loader.startAll(
    testConfig({
      plugin: { kind: 'node', path: wrapper, instances, execLimitMs: 60_000, heapMiB: null },
      service: { maxConcurrent: 128, pluginConfig: new Map([['crashFile', crashFile]]) },
      // As much as 64 answers of 10 MiB and their requests take.
      grpc: {
        ...limits,
        // 64 clients connect before the test has made all of their requests.
        wire: wireOptions({ ...limits, totalMemory: 4096 * mebibyte, handshakeTimeoutMs: 600_000 }),
      },
    }),
  );
  port = ports.grpc;
  http = `http://127.0.0.1:${String(ports.http)}/v1/private/svc`;
  client = new RawClient(port);
});

afterAll(async () => {
  client.close();
  expect(await loader.stop()).toEqual([{ stuck: 0, ended: true }]);
  rmSync(folder, { recursive: true });
});

const payload = (data: string | Uint8Array, name = 'text', type = 0): object => ({
  meta: { name, dataType: type, attribute: { status: '3' } },
  data: Buffer.from(data),
});

function inputOf(params: Record<string, string>, pl = [payload('ab')]): InputShape {
  return onceInput({ params, pl });
}

function ask(params: Record<string, string>): Promise<XsfAnswer> {
  return callXsf(client, onceRequest(inputOf(params)));
}

interface Outcome {
  readonly code: number;
  readonly text: string;
  /** When it was sent, as a count of requests that had been answered by then. */
  readonly since: number;
}

/** Clients that never stop asking, one request after another each. */
class Load {
  readonly outcomes: Outcome[] = [];
  readonly #running: Promise<void>[];
  #stopped = false;

  constructor() {
    this.#running = Array.from({ length: lanes }, (_, lane) => this.#lane(lane));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** Resolves when so many more requests have been answered. */
  async answered(more: number): Promise<void> {
    const enough = this.outcomes.length + more;
    await vi.waitFor(() => {
      expect(this.outcomes.length).toBeGreaterThanOrEqual(enough);
    }, patience);
  }

  async #lane(lane: number): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const since = this.outcomes.length;
      const text = `${lane}.${n}`;
      const answer = await callXsf(client, onceRequest(inputOf({ do: 'echo' }, [payload(text)])));
      const code = answer.output?.code ?? -1;
      this.outcomes.push({ code, text: code === 0 && textsOf(answer).join() === text ? 'right' : 'none', since });
    }
  }
}

/** Every call has an answer of its own or 10109, and those that came after the kill have an answer. */
function expectOnlyInFlight({ outcomes }: Load, kill: number): void {
  const failed = outcomes.filter(({ code }) => code !== 0);
  expect(new Set(failed.map(({ code }) => code))).toEqual(failed.length === 0 ? new Set() : new Set([10109]));
  expect(failed.filter(({ since }) => since > kill)).toEqual([]);
  expect(failed.length).toBeLessThanOrEqual(lanes);
  expect(outcomes.filter(({ code, text }) => code === 0 && text !== 'right')).toEqual([]);
}

/** The threads that answer as many calls as there are to be. */
async function threads(): Promise<Set<string>> {
  const answers = await Promise.all(Array.from({ length: instances }, () => ask({ do: 'thread' })));
  expect(answers.map(({ output }) => output?.code)).toEqual(answers.map(() => 0));
  return new Set(answers.flatMap(textsOf));
}

/** Waits until every thread is there, and nothing of the calls before is. Gives the threads. */
async function expectRecovered(): Promise<Set<string>> {
  const all = await vi.waitFor(async () => {
    const answered = await threads();
    expect(answered.size).toBe(instances);
    return answered;
  }, patience);
  await vi.waitFor(async () => {
    expect(await loader.counters()).toMatchObject({ loans: 0, pins: 0 });
  }, patience);
  return all;
}

describe('a thread that ends', () => {
  it.each(['exit', 'crash'])('in a call (%s) fails the calls in it with 10109, and no other', async (how) => {
    const load = new Load();
    await load.answered(200);
    expect((await ask({ do: how })).output).toMatchObject({ code: 10109 });
    const kill = load.outcomes.length;
    await load.answered(1000);
    await load.stop();
    expectOnlyInFlight(load, kill);
    await expectRecovered();
  });

  it('tells clients nothing of what the wrapper said', async () => {
    const form = new FormData();
    form.set('do', 'crash');
    const answer = await (await fetch(http, { method: 'POST', body: form })).text();
    expect(answer).toContain('plugin ended before it answered: its thread crashed');
    expect(answer).not.toContain('nobody catches this');
    await expectRecovered();
  });

  it('in the write of a stream fails that stream, and the calls beside it', async () => {
    const load = new Load();
    await load.answered(200);
    const streams = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const stream = new StreamClient(client);
        await stream.create({ params: { do: 'echo' } });
        return stream;
      }),
    );
    const [victim, ...others] = streams;
    await victim?.write(1, 'exit', 1, 'text');
    let answer = await victim?.poll();
    while (answer?.output?.code === 0) answer = await victim?.poll();
    expect(answer?.output).toMatchObject({ code: 10109 });
    const kill = load.outcomes.length;
    // Each is in the thread that ended or in the other one.
    const ends = await Promise.all(
      others.map(async (stream) => {
        const results = [await stream.write(1, 'a', 1, 'text'), await stream.write(2, 'b', 2, 'text')];
        while (results.at(-1)?.output?.code === 0 && results.at(-1)?.output?.status !== 2)
          results.push(await stream.poll());
        const failed = results.find(({ output }) => output?.code !== 0);
        return failed === undefined ? results.flatMap(textsOf).join('') : (failed.output?.code ?? -1);
      }),
    );
    for (const end of ends) expect(['AB', 10109]).toContain(end);
    await load.answered(1000);
    await load.stop();
    expectOnlyInFlight(load, kill);
    await expectRecovered();
  });

  it('while it has nothing to do costs nobody anything', async () => {
    const before = await expectRecovered();
    expect((await ask({ do: 'exitWhenIdle' })).output).toMatchObject({ code: 0 });
    // One of those that were there is gone.
    await eventually(async () => [...(await threads())].some((thread) => !before.has(thread))).toBe(true);
    await expectRecovered();
  });

  it('while it starts again is started once more', async () => {
    const load = new Load();
    await load.answered(200);
    writeFileSync(crashFile, '');
    expect((await ask({ do: 'exit' })).output).toMatchObject({ code: 10109 });
    const kill = load.outcomes.length;
    await vi.waitFor(() => {
      expect(existsSync(crashFile)).toBe(false);
    }, patience);
    await load.answered(1000);
    await load.stop();
    expectOnlyInFlight(load, kill);
    await expectRecovered();
  });

  it('after it has answered 64 clients takes nothing away from those that read slowly', async () => {
    const size = 10 * mebibyte;
    const go = gate();
    const slow = Array.from({ length: 64 }, (_, n) => {
      const data = Buffer.alloc(size, n + 1);
      const input = { ...inputOf({ do: 'own' }, [payload(data, 'data', 2)]), expect: [{ name: 'data', dataType: 2 }] };
      const request = encodeRequest(onceRequest(input, { param: { SeqNo: '1', waitTime: '600000' } }));
      const connection = new Http2Client(port);
      const stream = connection.open('/utils.XsfCall/call');
      stream.end(framed(request));
      return {
        connection,
        stream,
        answer: readAll(stream, go.promise),
        responded: once(stream, 'response'),
      };
    });
    // The loader has the answer of each, and no client has more than a window of it.
    await Promise.all(slow.map(({ responded }) => responded));
    for (let n = 0; n < instances; n++) await ask({ do: 'exit' });
    await expectRecovered();

    go.open();
    for (const [n, { connection, answer }] of slow.entries()) {
      const { status, body } = await answer;
      expect(status).toBe(0);
      const output = outputOf(body);
      expect(output).toMatchObject({ code: 0, status: 3 });
      const data = Buffer.from(output.pl[0]?.data ?? []);
      expect(data.equals(Buffer.alloc(size, n + 1))).toBe(true);
      connection.close();
    }
    await expectRecovered();
  }, 600_000);
});

/** What is in a message as gRPC frames it. */
function outputOf(body: Buffer): OutputShape {
  const data = decodeResponse(body.subarray(5)).data[0]?.data;
  return decodeOutput(Buffer.from(data ?? []));
}
