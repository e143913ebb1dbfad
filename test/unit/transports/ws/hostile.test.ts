import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { eventually } from '../../../fixtures/eventually.js';
import { FakeRuntime, FakeStream } from '../../../fixtures/fake-runtime.js';
import { type RawFrame, RawWs, rawFrame } from '../../../fixtures/ws-client.js';
import { echoRuntime, rawText, startWs, stopWs, type WsSetup, wsRoute } from '../../../fixtures/ws-server.js';

let open: WsSetup | null = null;

afterEach(async () => {
  await stopWs(open);
  open = null;
});

/** The number in the close frame that ended a connection; null when there was none. */
function closedWith(frames: readonly RawFrame[]): number | null {
  const close = frames.find(({ opcode }) => opcode === 8);
  return close === undefined || close.data.length < 2 ? null : close.data.readUInt16BE();
}

const text = (data: Buffer | string, more = {}): Buffer => rawFrame({ opcode: 1, data, ...more });
const continued = (data: Buffer | string, more = {}): Buffer => rawFrame({ opcode: 0, data, ...more });

describe('a frame against the rules of WebSocket', () => {
  const cases: readonly [string, Buffer, number][] = [
    ['an unmasked frame', rawFrame({ opcode: 1, data: '{}', masked: false }), 1002],
    ['a continuation of nothing', continued('{}'), 1002],
    ['a message in the middle of another', Buffer.concat([text('{', { fin: false }), text('{}')]), 1002],
    ['a reserved bit', text('{}', { reserved: 1 }), 1002],
    ['a compressed frame', text('{}', { reserved: 4 }), 1002],
    ['an unknown kind of frame', rawFrame({ opcode: 3 }), 1002],
    ['an unknown kind of control frame', rawFrame({ opcode: 11 }), 1002],
    ['a ping in pieces', rawFrame({ opcode: 9, fin: false }), 1002],
    ['a ping that is too long', rawFrame({ opcode: 9, data: 'x'.repeat(126) }), 1002],
    ['a close frame of one byte', rawFrame({ opcode: 8, data: 'x' }), 1002],
    [
      'a close frame with a number that is not for the wire',
      rawFrame({ opcode: 8, data: Buffer.from([3, 0xee]) }),
      1002,
    ],
    ['text that is no UTF-8', text(Buffer.from([0x7b, 0xc3, 0x28])), 1007],
    ['a frame that is too large', text('', { length: (1 << 20) + 1 }), 1009],
    ['a frame that claims more than there is', text('', { length: 2 ** 52 }), 1009],
    [
      'pieces that are too large together',
      Buffer.concat([text(' '.repeat(1 << 19), { fin: false }), continued(' '.repeat((1 << 19) + 1))]),
      1009,
    ],
    [
      'more pieces than may be',
      Buffer.concat([text('', { fin: false }), ...Array<Buffer>(7000).fill(continued('', { fin: false }))]),
      1008,
    ],
  ];

  it.each(cases)('ends the connection: %s', async (_what, bytes, code) => {
    for (const state of ['first', 'streaming', 'ended'] as const) {
      open = await startWs();
      const client = await open.raw();
      if (state !== 'first') {
        client.write(rawText('x', state === 'ended' ? 2 : 1));
        const stream = await open.stream();
        await eventually(() => stream.written.length).toBe(1);
      }
      client.write(bytes);
      await eventually(() => closedWith(client.frames)).toBe(code);
      await open.expectNothingLeft();
      expect(open.runtime.streams).toHaveLength(state === 'first' ? 0 : 1);
      client.reset();
      await stopWs(open);
      open = null;
    }
  });
});

describe('a frame that is allowed', () => {
  it('may come in pieces, with pings between them, one byte at a time', async () => {
    open = await startWs({ runtime: echoRuntime() });
    const client = await open.raw();
    const packet = rawText('x', 2);
    // The same bytes in three frames: what is inside begins behind two bytes of head and four of mask.
    const json = JSON.stringify({ payload: { input: { text: 'eA==', status: 2 } } });
    const pieces = [
      text(json.slice(0, 5), { fin: false }),
      rawFrame({ opcode: 9, data: 'mid' }),
      continued('', { fin: false }),
      continued(json.slice(5, 20), { fin: false }),
      rawFrame({ opcode: 10 }),
      continued(json.slice(20)),
    ];
    expect(packet.length).toBeGreaterThan(json.length);
    for (const byte of Buffer.concat(pieces)) {
      client.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => closedWith(client.frames)).toBe(1000);
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([10, 1, 1, 8]);
    client.reset();
  });
});

describe('any sequence of frames', () => {
  const bytes = (max: number): fc.Arbitrary<Buffer> =>
    fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
  const document = fc.oneof(
    fc.constantFrom(
      '{}',
      '{"payload":{}}',
      '{',
      '[]',
      'null',
      '""',
      '{"payload":{"input":{"text":"eA==","status":2}}}',
    ),
    fc.json(),
    fc
      .record(
        { text: fc.oneof(fc.base64String(), fc.jsonValue()), status: fc.oneof(fc.integer(), fc.string()) },
        { requiredKeys: [] },
      )
      .map((input) => JSON.stringify({ payload: { input } })),
  );
  const binary = fc.tuple(fc.integer({ min: 0, max: 200 }), document, bytes(40)).map(([length, json, rest]) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length > 100 ? Buffer.byteLength(json) : length);
    return Buffer.concat([head, Buffer.from(json), rest]);
  });
  const frame = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }).map((status) => rawText('some text', status)) },
    { weight: 3, arbitrary: document.map((json) => text(json)) },
    binary.map((data) => rawFrame({ opcode: 2, data })),
    fc
      .record({
        opcode: fc.integer({ min: 0, max: 15 }),
        data: bytes(130),
        fin: fc.boolean(),
        masked: fc.boolean(),
        reserved: fc.constantFrom(0, 0, 0, 0, 1, 4),
      })
      .map(rawFrame),
    fc.record({ opcode: fc.constantFrom(0, 1, 2), data: bytes(20), fin: fc.boolean() }).map(rawFrame),
    fc.record({ opcode: fc.constantFrom(8, 9, 10), data: bytes(125) }).map(rawFrame),
    bytes(60),
  );
  /** What else a client may do, between two frames. */
  const act = fc.constantFrom('pause', 'resume', 'turn', 'reset', 'finish');
  const script = fc.record({
    service: fc.constantFrom('echo', 'mute', 'failing', 'slow', 'once'),
    protocol: fc.constantFrom('', 'aiges.binary'),
    steps: fc.array(fc.oneof({ weight: 5, arbitrary: frame }, { weight: 2, arbitrary: act }), { maxLength: 12 }),
    end: fc.constantFrom('reset', 'finish'),
  });

  function runtimeOf(service: string): FakeRuntime {
    const runtime = service === 'once' ? new FakeRuntime((_call, frames) => frames) : echoRuntime();
    if (service === 'mute') runtime.openStream = () => new FakeStream(runtime);
    if (service === 'failing') {
      runtime.openStream = () => {
        const stream = new FakeStream(runtime);
        stream.onWrite = () => {
          throw new AigesError('writeFailed');
        };
        return stream;
      };
    }
    if (service === 'slow') {
      runtime.openStream = async () => {
        await new Promise((resolve) => setImmediate(resolve));
        const stream = new FakeStream(runtime);
        stream.onWrite = async (frames) => {
          await new Promise((resolve) => setImmediate(resolve));
          for (const { data, status } of frames) stream.give(Buffer.from(data).toString(), status);
        };
        return stream;
      };
    }
    return runtime;
  }

  it('leaves no session, no licence and no memory, and a server that serves', async () => {
    const setups = new Map<string, WsSetup>();
    for (const service of ['echo', 'mute', 'failing', 'slow', 'once']) {
      const runtime = runtimeOf(service);
      const limits = { maxFrames: 2, maxUnsentBytes: 100 };
      setups.set(service, await startWs({ runtime, limits, ...(service === 'once' ? { once: () => [] } : {}) }));
    }
    const run = async ({
      service,
      protocol,
      steps,
      end,
    }: typeof script extends fc.Arbitrary<infer T> ? T : never): Promise<void> => {
      const setup = setups.get(service);
      if (setup === undefined) throw new Error('unreachable');
      const client = new RawWs(setup.port);
      client.shake(wsRoute, protocol === '' ? {} : { 'sec-websocket-protocol': protocol });
      for (const step of steps) {
        if (step instanceof Buffer) client.write(step);
        else if (step === 'turn') await new Promise((resolve) => setImmediate(resolve));
        else client[step as 'pause' | 'resume' | 'reset' | 'finish']();
      }
      client.resume();
      if (end === 'reset') client.reset();
      else client.finish();
      // In turns rather than in the steps of a clock: there are hundreds of runs.
      const busy = (): boolean => !client.closed || setup.service.load.running > 0 || setup.runtime.outputsAlive > 0;
      for (let turns = 0; busy() && turns < 100_000; turns++) await new Promise((resolve) => setImmediate(resolve));
      await setup.expectNothingLeft();
      setup.runtime.streams.length = 0;
    };
    try {
      await fc.assert(fc.asyncProperty(script, run), { numRuns: 400, interruptAfterTimeLimit: 15_000 });
      for (const [service, setup] of setups) {
        const client = await setup.connect();
        client.sendText('input', 'x', 3);
        expect((await client.next()).header.code, service).toBe(0);
        client.socket.terminate();
      }
    } finally {
      for (const setup of setups.values()) await stopWs(setup);
    }
  });
});
