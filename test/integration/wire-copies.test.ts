import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { eventually } from '../fixtures/eventually.js';
import { wireOptions } from '../fixtures/grpc-servers.js';
import { startHost, type HostChanges, type RunningHost } from '../fixtures/host.js';
import { framed, Http2Client, readAll } from '../fixtures/http2-client.js';
import { decodeOutput, decodeResponse, encodeRequest } from '../fixtures/protocol.js';
import { callXsf, onceInput, onceRequest, textsOf } from '../fixtures/xsf-client.js';

// What the whole loader does with large payloads on the wire: native memory in, native memory out.

let loader: RunningHost;

afterEach(async () => {
  expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
  const nothing = { jobsRunning: 0, outputsAlive: 0, leasedBytes: 0, pins: 0, engines: 0 };
  await eventually(counters).toMatchObject(nothing);
});

async function start(changes: HostChanges): Promise<void> {
  loader = await startHost({ grpc: { server: 'wire' }, ...changes });
}

function request(data: Uint8Array, params: Record<string, string> = {}): Buffer {
  const input = onceInput({ params, pl: [{ meta: { name: 'input', attribute: { status: '3' } }, data }] });
  return encodeRequest(onceRequest(input, { param: { SeqNo: '1', waitTime: '60000' } }));
}

function payloadOf(message: Buffer): Buffer {
  const data = decodeResponse(message).data[0]?.data;
  return Buffer.from(data === undefined ? [] : (decodeOutput(data).pl[0]?.data ?? []));
}

const sizes = [64 << 10, 100_001, 1 << 20, 3_000_000];

describe('a payload of 64 KiB and more', () => {
  it('reaches the engine where it was received, aligned', async () => {
    await start({ plugin: { path: fixtureEngine('scripted') } });
    const before = counters();
    for (const size of sizes) {
      const answer = await callXsf(loader.client, request(Buffer.alloc(size), { do: 'describe' }));
      expect(textsOf(answer).join()).toContain(`${size} aligned=64 `);
    }
    const { bytesIn, unalignedCopies } = counters();
    expect({ bytesIn, unalignedCopies }).toEqual({ bytesIn: before.bytesIn, unalignedCopies: before.unalignedCopies });
  });

  it.each([
    ['copy', 1],
    ['lease', 0],
  ] as const)('leaves the engine with output = "%s" copied %i times', async (output, copies) => {
    await start({ plugin: { path: fixtureEngine('scripted'), output } });
    const before = counters();
    for (const size of sizes) {
      const data = Buffer.alloc(size, size % 251);
      const { bytes } = await loader.client.unary('/utils.XsfCall/call', request(data, { do: 'echo' }));
      expect(payloadOf(bytes ?? Buffer.alloc(0)).equals(data)).toBe(true);
    }
    const { bytesIn, bytesOut } = counters();
    expect({ bytesIn: bytesIn - before.bytesIn, bytesOut: bytesOut - before.bytesOut }).toEqual({
      bytesIn: 0,
      bytesOut: copies * sizes.reduce((sum, size) => sum + size, 0),
    });
  });
});

describe('an answer on lease that its client does not read', () => {
  const size = 3_000_000;
  const engineCopies = (): number => counters().bytesOut;
  async function startLeasing(leaseTimeMs: number): Promise<void> {
    const wire = wireOptions({ leaseTimeMs });
    await start({ plugin: { path: fixtureEngine('scripted'), output: 'lease' }, grpc: { server: 'wire', wire } });
  }

  it('stays in the memory of the engine for as long as the lease lasts', async () => {
    await startLeasing(3_600_000);
    const slow = new Http2Client(loader.client.port);
    const data = Buffer.alloc(size, 1);
    const stream = slow.open('/utils.XsfCall/call');
    stream.end(framed(request(data, { do: 'echo' })));
    await eventually(counters).toMatchObject({ leasedBytes: size, outputsAlive: 1 });
    const { body } = await readAll(stream);
    expect(payloadOf(body.subarray(5)).equals(data)).toBe(true);
    slow.close();
  });

  it('gives the memory back in time, and arrives all the same', async () => {
    await startLeasing(20);
    const before = engineCopies();
    const slow = new Http2Client(loader.client.port);
    const answers = [1, 2, 3].map((byte) => {
      const data = Buffer.alloc(size, byte);
      const stream = slow.open('/utils.XsfCall/call');
      const answered = once(stream, 'response');
      stream.end(framed(request(data, { do: 'echo' })));
      return { data, stream, answered };
    });
    await Promise.all(answers.map(({ answered }) => answered));
    await eventually(counters).toMatchObject({ leasedBytes: 0, outputsAlive: 0 });
    // What has arrived by then is no more than the client has room for.
    for (const { stream } of answers) expect(stream.readableLength).toBeLessThan(size / 2);
    // The engine gets the same memory again for these.
    for (let other = 100; other < 110; other++) {
      const data = Buffer.alloc(size, other);
      const { bytes } = await loader.client.unary('/utils.XsfCall/call', request(data, { do: 'echo' }));
      expect(payloadOf(bytes ?? Buffer.alloc(0)).equals(data)).toBe(true);
    }
    for (const { data, stream } of answers) {
      const { status, body } = await readAll(stream);
      expect(status).toBe(0);
      expect(payloadOf(body.subarray(5)).equals(data)).toBe(true);
    }
    expect(engineCopies()).toBe(before);
    slow.close();
  });
});

describe('an engine with one buffer for all its results', () => {
  it('gets every answer right with 8 slow readers', async () => {
    await start({
      plugin: { path: fixtureEngine('static_result'), output: 'copy' },
      service: { maxConcurrent: 1 },
    });
    const readers = Array.from({ length: 8 }, () => new Http2Client(loader.client.port));
    const answers = await Promise.all(readers.map((client, reader) => readSlowly(client, reader)));
    for (const client of readers) client.close();
    expect(answers).toEqual(readers.map(() => 'right'));
  });

  /** Sends a payload of its own until the engine has time for it, and lets the answer wait before reading it. */
  async function readSlowly(client: Http2Client, reader: number): Promise<string> {
    const data = Buffer.alloc(1_000_000 + reader, reader + 1);
    for (;;) {
      const stream = client.open('/utils.XsfCall/call');
      const answered = new Promise((resolve) => stream.on('response', resolve));
      // By then the others have had the engine write over its result.
      const ended = readAll(
        stream,
        answered.then(() => delay(200)),
      );
      stream.end(framed(request(data)));
      const { status, body } = await ended;
      if (status !== 0) return `status ${status}`;
      const message = body.subarray(5);
      if (decodeResponse(message).code === 10110) continue;
      return payloadOf(message).equals(data) ? 'right' : 'wrong';
    }
  }
});
