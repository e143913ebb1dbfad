import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Counters } from '../../src/runtimes/native/index.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { FileGate } from '../fixtures/file-gate.js';
import { testConfig } from '../fixtures/host.js';
import { LoaderProcess } from '../fixtures/loader-process.js';
import { encodeRequest } from '../fixtures/protocol.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest } from '../fixtures/xsf-client.js';

// The memory of requests that nobody waits for any more while they wait for an engine thread. scripts/test.mjs runs this
// with an addon that is built with sanitizers, too: it names the environment of such a process.
const env = JSON.parse(process.env['AIGES_TEST_ADDON'] ?? '{}') as NodeJS.ProcessEnv;

const calls = 6;
/** Nothing here is to end because the machine is busy. */
const forEver = { param: { SeqNo: '1', waitTime: '600000' } };
const deadlineMs = 600_000;

let loader: LoaderProcess;
let client: RawClient;
let gate: FileGate;

beforeEach(async () => {
  gate = new FileGate();
  loader = new LoaderProcess(env);
  const config = testConfig({
    plugin: { path: fixtureEngine('scripted'), asyncMode: true },
    service: { maxConcurrent: calls + 1 },
    limits: { threads: 1 },
  });
  client = new RawClient(await loader.start(config));
});

afterEach(() => {
  client.close();
  gate.remove();
  loader.kill();
});

async function expectCounters(expected: Partial<Counters>): Promise<void> {
  await vi.waitFor(
    async () => {
      expect(await loader.counters()).toMatchObject(expected);
    },
    { timeout: 30_000, interval: 50 },
  );
}

describe('requests of an asynchronous engine that are given up while they wait for a thread', () => {
  it('keep the memory they were received in until the engine is done with it', async () => {
    const held = onceRequest(onceInput({ params: { ...gate.params, callback: 'sync' } }), forEver);
    const holding = callXsf(client, held, { deadlineMs });
    await gate.entered();
    // Large payloads, of which one at most can lie as the engine wants it: the others are copied by its thread.
    const pl = [100_001, 90_003, 80_007].map((size, i) => ({
      meta: { name: `input${i}`, attribute: { status: '3' } },
      data: Buffer.alloc(size, i + 1),
    }));
    const request = encodeRequest(onceRequest(onceInput({ params: { do: 'echo', callback: 'sync' }, pl }), forEver));
    const leaving = new AbortController();
    const answers = Array.from({ length: calls }, () =>
      callXsf(client, request, { deadlineMs, signal: leaving.signal }),
    );
    await expectCounters({ jobsRunning: 1, jobsQueued: calls });
    leaving.abort();
    for (const { status } of await Promise.all(answers)) expect(status).toBe(1);
    // The calls have ended, and with them what the transport holds. What would be freed now would be reused.
    await expectCounters({ jobsQueued: calls });
    gate.open();
    expect((await holding).output?.code).toBe(0);
    await expectCounters({ jobsQueued: 0, jobsRunning: 0, pins: 0, outputsAlive: 0, asyncWaiting: 0 });
    expect((await callXsf(client, request)).output?.code).toBe(0);
    expect((await loader.counters()).unalignedCopies).toBeGreaterThan(0);
    expect(await loader.stop()).toEqual([{ stuck: 0, ended: true }]);
  });
});
