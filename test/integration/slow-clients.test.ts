import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Config } from '../../src/config/config.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { eventually } from '../fixtures/eventually.js';
import { wireOptions } from '../fixtures/grpc-servers.js';
import { testConfig } from '../fixtures/host.js';
import { framed, Http2Client } from '../fixtures/http2-client.js';
import { LoaderProcess } from '../fixtures/loader-process.js';
import { parsePrometheus } from '../fixtures/prometheus.js';
import { decodeOutput, decodeResponse, encodeRequest } from '../fixtures/protocol.js';
import { RawClient } from '../fixtures/raw-client.js';
import { askCommand } from '../fixtures/toolbox-client.js';
import { callXsf, onceInput, onceRequest } from '../fixtures/xsf-client.js';

// Clients that are slow, by accident or on purpose, against a loader with little memory: what they can make it hold is
// what docs/lifecycle.md says, and everybody else is served.

const MiB = 1024 * 1024;
const permits = 4;
const connectionMemory = 64 * MiB;
const totalMemory = 128 * MiB;
const busy = 10110;

let loader: LoaderProcess;
let others: RawClient;
let port: number;

beforeEach(async () => {
  // Otherwise the C library keeps for itself what was freed, some answers for each thread.
  loader = new LoaderProcess({ MALLOC_MMAP_THRESHOLD_: String(MiB) });
  const wire = wireOptions({ connectionMemory, totalMemory, handshakeTimeoutMs: 600_000 });
  const config: Config = testConfig({
    plugin: { path: fixtureEngine('scripted') },
    service: { maxConcurrent: permits },
    grpc: { maxReceiveBytes: 16 * MiB, maxSendBytes: 16 * MiB, wire },
    metrics: { labels: { sub: 'ase', name: 'svc', idc: 'dx', cs: '3s' }, slices: 10, sliceMs: 1000 },
  });
  port = await loader.start(config);
  others = new RawClient(port);
});

afterEach(() => {
  others.close();
  loader.kill();
});

/** What the gRPC server counts, by the end of the metric's name. */
async function numbers(): Promise<(name: string) => number> {
  const families = parsePrometheus((await askCommand(others, { cmd: 'metrics' })).body);
  return (name) => families.get(`aiges_grpc_${name}`)?.samples[0]?.value ?? Number.NaN;
}

async function expectServing(): Promise<void> {
  await vi.waitFor(
    async () => {
      expect((await callXsf(others, onceRequest(onceInput()))).output?.code).toBe(0);
    },
    { timeout: 20_000 },
  );
}

describe('a client that does not read', () => {
  const calls = 100;
  const size = 10 * MiB;
  const input = onceInput({ params: { do: 'fill', bytes: String(size) } });
  const request = framed(encodeRequest(onceRequest(input, { param: { SeqNo: '1', waitTime: '600000' } })));

  it('of 100 answers of 10 MiB makes the loader hold as many as it may, and gets all of them in the end', async () => {
    await expectServing();
    const before = await loader.residentBytes();
    const client = new Http2Client(port);
    const open = (): ClientHttp2Stream => {
      const stream = client.open('/utils.XsfCall/call');
      stream.end(request);
      return stream;
    };
    const streams: ClientHttp2Stream[] = [];
    // Until calls wait, each of them is answered, although nobody reads the answer.
    for (let parked = 0; parked === 0;) {
      const stream = open();
      let answered = false;
      stream.once('response', () => (answered = true));
      streams.push(stream);
      await vi.waitFor(
        async () => {
          parked = (await numbers())('calls_parked_total');
          expect(answered || parked > 0).toBe(true);
        },
        { timeout: 20_000 },
      );
    }
    expect(streams.length).toBeLessThan(calls / 2);
    while (streams.length < calls) streams.push(open());

    // A little now and then changes nothing.
    const beginning: Buffer[] = [];
    for (let read = 0; read < 20; read++) {
      const bytes = streams[0]?.read(1024) as Buffer | null | undefined;
      if (bytes instanceof Buffer) beginning.push(bytes);
      await expectServing();
    }
    await eventually(async () => (await numbers())('calls_parked_total')).toBeGreaterThan(calls / 2);
    const held = await numbers();
    expect(held('bytes_queued')).toBeGreaterThanOrEqual(connectionMemory);
    expect(held('bytes_queued')).toBeLessThanOrEqual(connectionMemory + permits * (size + MiB));
    expect((await loader.residentBytes()) - before).toBeLessThan(2 * totalMemory);

    // Answers that were made wait, then those that had to wait come, no more at a time than there are licences.
    client.session.setLocalWindowSize(64 * MiB);
    const lengths = await Promise.all(streams.map((stream, i) => readWhole(stream, open, i === 0 ? beginning : [])));
    expect(lengths).toEqual(streams.map(() => size));
    client.close();
    await eventually(async () => (await numbers())('bytes_queued')).toBe(0);
    expect((await loader.residentBytes()) - before).toBeLessThan(2 * totalMemory);
    expect(await loader.stop()).toEqual([{ stuck: 0, ended: true }]);
  }, 600_000);

  /** The length of the payload; asks again as long as all licences are taken. */
  async function readWhole(
    stream: ClientHttp2Stream,
    again: () => ClientHttp2Stream,
    beginning: readonly Buffer[] = [],
  ): Promise<number> {
    const chunks = [...beginning];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    if (!stream.closed) await once(stream, 'close');
    const response = decodeResponse(Buffer.concat(chunks).subarray(5));
    if (response.code === busy) return readWhole(again(), again);
    return decodeOutput(response.data[0]?.data ?? Buffer.alloc(0)).pl[0]?.data.length ?? 0;
  }
});

describe('1,000 connections that send byte by byte', () => {
  const count = 1000;
  const rounds = 40;

  /** A request as it is on the wire, without Huffman coding and without a dynamic table. */
  function requestBytes(messageLength: number): {
    readonly preface: Buffer;
    readonly head: Buffer;
    readonly data: Buffer;
  } {
    const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
    const field = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0]), text(name), text(value)]);
    const block = Buffer.concat([
      field(':method', 'POST'),
      field(':scheme', 'http'),
      field(':path', '/utils.XsfCall/call'),
      field(':authority', 'slow'),
      field('content-type', 'application/grpc'),
      field('te', 'trailers'),
    ]);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(messageLength, 1);
    return {
      preface: Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]),
      head: frame(1, 4, 1, block),
      // Its end never comes.
      data: Buffer.concat([frame(0, 0, 1, Buffer.alloc(16_384)).subarray(0, 9), prefix]),
    };
  }

  function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
    const header = Buffer.alloc(9);
    header.writeUIntBE(payload.length, 0, 3);
    header.writeUInt8(type, 3);
    header.writeUInt8(flags, 4);
    header.writeUInt32BE(stream, 5);
    return Buffer.concat([header, payload]);
  }

  it('cost some KiB each, and nobody else notices', async () => {
    await expectServing();
    const before = await loader.residentBytes();
    const { preface, head, data } = requestBytes(15 * MiB);
    // Where each of them is when it becomes slow: in the preface, the header block, a message's length, its bytes.
    const quick = [Buffer.alloc(0), preface, Buffer.concat([preface, head]), Buffer.concat([preface, head, data])];
    const slow = [preface, head, data, Buffer.alloc(rounds, 1)];
    const sockets: Socket[] = [];
    for (let i = 0; i < count; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true).resume();
      socket.on('error', () => undefined);
      socket.write(quick[i % quick.length] ?? '');
      sockets.push(socket);
    }
    for (let round = 0; round < rounds; round++) {
      for (const [i, socket] of sockets.entries()) {
        const bytes = slow[i % slow.length] ?? Buffer.alloc(0);
        if (round < bytes.length) socket.write(bytes.subarray(round, round + 1));
      }
      if (round % 8 === 0) await expectServing();
    }
    await vi.waitFor(
      async () => {
        const told = await numbers();
        expect(told('connections')).toBe(count + 1);
        // Of messages only what has arrived is held, whatever their length.
        expect(told('bytes_held')).toBeGreaterThanOrEqual((count / 4) * rounds);
        expect(told('bytes_held')).toBeLessThanOrEqual((count / 2) * 4096);
        expect(told('header_bytes')).toBeLessThanOrEqual((count + 1) * 1024);
        expect(told('connections_paused')).toBe(0);
      },
      { timeout: 20_000 },
    );
    expect((await loader.residentBytes()) - before).toBeLessThan(count * 128 * 1024);
    await expectServing();
    for (const socket of sockets) socket.resetAndDestroy();
    await vi.waitFor(
      async () => {
        expect((await numbers())('connections')).toBe(1);
        expect((await numbers())('bytes_held')).toBe(0);
      },
      { timeout: 20_000 },
    );
    expect(await loader.stop()).toEqual([{ stuck: 0, ended: true }]);
  });
});
