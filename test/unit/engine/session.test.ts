import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import { DataStatus, DataType, emptyMap, type Frame } from '../../../src/core/frame.js';
import type { Signal } from '../../../src/core/signal.js';
import { Admission } from '../../../src/engine/admission.js';
import type { Input } from '../../../src/engine/input.js';
import { Session, type SessionOptions } from '../../../src/engine/session.js';
import { FakeRuntime, type FakeStream, gate, prepare, streams, textFrame } from '../../fixtures/fake-runtime.js';

let runtime: FakeRuntime;
let admission: Admission;
let inputsHeld: number;

beforeEach(() => {
  runtime = new FakeRuntime();
  admission = new Admission({ permits: 1, queue: 0 });
  inputsHeld = 0;
});

afterEach(() => {
  vi.useRealTimers();
  expect(admission.running).toBe(0);
  expect(inputsHeld).toBe(0);
  expect(runtime.outputsAlive).toBe(0);
  for (const stream of runtime.streams) expect(stream.closed).toBe(1);
});

function open(changes: Partial<SessionOptions> = {}): Session {
  return new Session({
    ...streams,
    prepare,
    call: {
      sid: '',
      tag: 'tag',
      params: emptyMap,
      resourceIds: [],
      expect: [{ name: 'result', type: DataType.text, attributes: emptyMap }],
    },
    runtime,
    permit: admission.tryAcquire(),
    use: () => Promise.resolve(null),
    firstNumber: 0,
    ...changes,
  });
}

function packet(...frames: readonly Frame[]): Input {
  inputsHeld++;
  return { frames, release: () => inputsHeld-- };
}

const part = (text: string, status: number = DataStatus.continue, key = 'in'): Frame =>
  textFrame(key, text, { status });
const never = new AbortController().signal;
const closed = new AigesError('releasedHandle');

async function currentStream(): Promise<FakeStream> {
  await settle();
  const stream = runtime.streams.at(-1);
  if (stream === undefined) throw new Error('no stream was opened');
  return stream;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

async function take(session: Session): Promise<string | null> {
  const output = await session.next(never);
  const text = output === null ? null : output.frames.map(({ data }) => Buffer.from(data).toString()).join('+');
  output?.release();
  return text;
}

describe('Session', () => {
  it('reports a failed create to who asks next, and frees everything', async () => {
    runtime.openStream = () => {
      throw new AigesError('createFailed', { message: 'no;code=5', pluginCode: 5 });
    };
    const session = open();
    session.put(0, packet());
    await session.done;
    expect(() => {
      session.put(1, packet());
    }).toThrow('no;code=5');
    await expect(session.next(never)).rejects.toMatchObject({ code: 10905 });
  });

  it('reports a failed write on a later call, and drops what the client had not taken', async () => {
    const session = open();
    const stream = await currentStream();
    stream.give('lost');
    await settle();
    stream.onWrite = () => {
      throw new AigesError('writeFailed', { message: 'no;code=6', pluginCode: 6 });
    };
    session.put(0, packet(part('a')));
    await session.done;
    await expect(session.next(never)).rejects.toMatchObject({ code: 10907 });
  });

  it.each([
    ['are left for later', 0, false],
    ['wait for a client that takes none', 200, true],
  ])('reports a failed write at once though results %s', async (_name, results, realTime) => {
    const session = open({ realTime });
    const stream = await currentStream();
    for (let n = 0; n < results; n++) stream.give('untaken');
    // As many as the session takes.
    await new Promise(setImmediate);
    stream.onWrite = () => {
      throw new AigesError('writeFailed', { message: 'no;code=6', pluginCode: 6 });
    };
    session.put(0, packet(part('a')));
    await session.done;
    expect(admission.running).toBe(0);
    await expect(session.next(never)).rejects.toMatchObject({ code: 10907 });
  });

  it('reports a failed read to who is waiting', async () => {
    const session = open();
    const stream = await currentStream();
    const waiting = expect(session.next(never)).rejects.toMatchObject({ code: 10908 });
    stream.fail(new AigesError('readFailed', { message: 'no;code=7', pluginCode: 7 }));
    await waiting;
    await session.done;
  });

  it.each([
    ['nobody has asked for one', false],
    ['somebody waits for one', true],
  ])('reports a plugin that ends the stream without a last result when %s', async (_name, waits) => {
    const session = open();
    const stream = await currentStream();
    stream.give('middle');
    expect(await take(session)).toBe('middle');
    const failure = { code: 10908, detail: 'the plugin ended the stream without a last result' };
    const waiting = waits ? expect(session.next(never)).rejects.toMatchObject(failure) : null;
    stream.end();
    await waiting;
    await session.done;
    await expect(session.next(never)).rejects.toMatchObject(failure);
  });

  it('refuses an output that the client does not expect', async () => {
    const session = open();
    const stream = await currentStream();
    stream.give('x', DataStatus.continue, 'other');
    await session.done;
    await expect(session.next(never)).rejects.toMatchObject({
      code: 10106,
      message: 'wrapper output data invalid(key or type)',
    });
  });

  it('refuses packets beyond its limit', async () => {
    const session = open({ maxPackets: 1 });
    session.put(5, packet(part('early')));
    expect(() => {
      session.put(6, packet(part('too much')));
    }).toThrow('input invalid data');
    await session.close(closed);
  });

  it('ends a stream whose client makes up ever more inputs', async () => {
    const session = open();
    const stream = await currentStream();
    const many = Array.from({ length: 1000 }, (_, n) => part('x', DataStatus.end, `in${n}`));
    session.put(0, packet(...many));
    session.put(1, packet(...many));
    session.put(2, packet(part('x', DataStatus.end, 'one more')));
    await session.done;
    await expect(session.next(never)).rejects.toMatchObject({
      code: 10009,
      detail: 'a stream has at most 1000 inputs',
    });
    expect(stream.written).toHaveLength(2);
  });

  it('writes packets in the order of their numbers, and drops late ones', async () => {
    const session = open();
    const stream = await currentStream();
    session.put(0, packet());
    session.put(2, packet(part('b')));
    session.put(1, packet(part('a')));
    session.put(1, packet(part('again')));
    await settle();
    session.put(1, packet(part('late')));
    session.put(3, packet(part('c', DataStatus.end)));
    await settle();
    expect(stream.written).toEqual([
      { text: 'again', last: false },
      { text: 'b', last: false },
      { text: 'c', last: true },
    ]);
    await session.close(closed);
  });

  it('never writes two packets at the same time', async () => {
    const session = open();
    const stream = await currentStream();
    const hold = gate();
    stream.onWrite = () => hold.promise;
    session.put(0, packet(part('a')));
    session.put(1, packet(part('b')));
    await settle();
    expect(stream.written).toHaveLength(1);
    hold.open();
    await settle();
    expect(stream.written).toHaveLength(2);
    await session.close(closed);
  });

  it('goes on without a packet that is missing for longer than the gap allows', async () => {
    vi.useFakeTimers();
    const session = open({ gapMs: 1000 });
    const stream = await currentStream();
    session.put(0, packet(part('a')));
    session.put(2, packet(part('c')));
    await vi.advanceTimersByTimeAsync(600);
    // More packets behind the gap do not make the wait longer.
    session.put(3, packet(part('d')));
    await vi.advanceTimersByTimeAsync(399);
    expect(stream.written.map(({ text }) => text)).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(1);
    expect(stream.written.map(({ text }) => text)).toEqual(['a', 'c', 'd']);
    await session.close(closed);
  });

  it('ends when every input that was seen has ended', async () => {
    const session = open();
    const stream = await currentStream();
    session.put(0, packet(part('a', DataStatus.end, 'one'), part('b', DataStatus.begin, 'two')));
    session.put(1, packet(part('c', DataStatus.end, 'two')));
    await settle();
    expect(stream.written.map(({ last }) => last)).toEqual([false, true]);
    await session.close(closed);
  });

  it('says that its input has ended once the plugin has got the end of it', async () => {
    const session = open();
    const stream = await currentStream();
    const written = gate();
    stream.onWrite = () => written.promise;
    session.put(0, packet(part('x', DataStatus.end)));
    await settle();
    expect(session.inputEnded).toBe(false);
    written.open();
    await settle();
    expect(session.inputEnded).toBe(true);
    await session.close(closed);
  });

  it('waits for declared inputs that have not been seen', async () => {
    const session = open({ inputs: ['one', 'two'] });
    const stream = await currentStream();
    session.put(0, packet(part('a', DataStatus.end, 'one')));
    session.put(1, packet(part('b', DataStatus.begin, 'two')));
    session.put(2, packet(part('c', DataStatus.once, 'two')));
    await settle();
    expect(stream.written.map(({ last }) => last)).toEqual([false, false, true]);
    await session.close(closed);
  });

  it.each([[[part('a', DataStatus.begin, 'one')]], [[]]])(
    'ends with a packet that says so, whatever is in it or missing',
    async (frames) => {
      const session = open({ inputs: ['one', 'two'] });
      const stream = await currentStream();
      session.put(0, { ...packet(...frames), last: true });
      await settle();
      expect(stream.written).toMatchObject([{ text: frames.length === 0 ? '' : 'a', last: true }]);
      await session.close(closed);
    },
  );

  it('passes results on as they come, while input is still coming', async () => {
    const session = open();
    const stream = await currentStream();
    session.put(0, packet(part('a')));
    const waiting = take(session);
    stream.give('early');
    expect(await waiting).toBe('early');
    await session.close(closed);
  });

  it('passes over a result that holds nothing', async () => {
    const session = open();
    const stream = await currentStream();
    stream.giveFrames([]);
    stream.give('a', DataStatus.end);
    const output = await session.next(never);
    expect(output?.frames).toHaveLength(1);
    output?.release();
    await session.done;
  });

  it('leaves results with the plugin until the input has ended, if told so', async () => {
    const session = open({ realTime: false });
    const stream = await currentStream();
    stream.give('result');
    session.put(0, packet(part('a')));
    await settle();
    expect(await session.next(AbortSignal.abort())).toBeNull();
    session.put(1, packet(part('b', DataStatus.end)));
    expect(await take(session)).toBe('result');
    await session.close(closed);
  });

  it('has let go of plugin and permit before the last result can be seen', async () => {
    const session = open();
    const stream = await currentStream();
    stream.give('middle');
    stream.give('last', DataStatus.end);
    expect(await take(session)).toBe('middle');
    expect(await take(session)).toBe('last');
    expect(stream.closed).toBe(1);
    expect(admission.running).toBe(0);
    await session.done;
    expect(await session.next(never)).toBeNull();
  });

  it('takes and drops packets that come after the end', async () => {
    const session = open();
    const stream = await currentStream();
    stream.give('last', DataStatus.end);
    await session.done;
    session.put(9, packet(part('late')));
    expect(await take(session)).toBe('last');
  });

  it('leaves results where they are while the client takes none', async () => {
    const session = open();
    const stream = await currentStream();
    for (let n = 0; n < 300; n++) stream.give(String(n));
    await settle();
    for (let n = 0; n < 300; n++) expect(await take(session)).toBe(String(n));
    await session.close(closed);
  });

  it('does not hold the last result back for a packet that is still being completed', async () => {
    const waiting = gate<readonly Frame[]>();
    const session = open({
      prepare: (_frames, signal) => {
        signal.addEventListener('abort', () => {
          waiting.fail(signal.reason);
        });
        return waiting.promise;
      },
    });
    const stream = await currentStream();
    session.put(0, packet(part('lies elsewhere')));
    await settle();
    stream.give('last', DataStatus.end);
    expect(await take(session)).toBe('last');
    expect(stream.written).toEqual([]);
  });

  it('tells everyone why it was closed, and aborts the signal of the plugin', async () => {
    let signal: Signal | null = null;
    const make = runtime.openStream;
    runtime.openStream = (call) => {
      ({ signal } = call);
      return make(call);
    };
    const session = open();
    const stream = await currentStream();
    stream.give('dropped');
    await settle();
    const kept = session.next(never);
    (await kept)?.release();
    const waiting = expect(session.next(never)).rejects.toBe(closed);
    await session.close(closed);
    await waiting;
    await session.close(new AigesError('timeout'));
    await expect(session.next(never)).rejects.toBe(closed);
    expect(signal).toMatchObject({ aborted: true });
  });

  it('closes the stream only after the write that is running has returned, and keeps the permit until then', async () => {
    const session = open();
    const stream = await currentStream();
    const hold = gate();
    const order: string[] = [];
    stream.onWrite = async () => {
      await hold.promise;
      order.push('written');
    };
    const close = stream.close.bind(stream);
    stream.close = async () => {
      // What the port asks of a runtime.
      await hold.promise;
      order.push('closed');
      await close();
    };
    session.put(0, packet(part('a')));
    await settle();
    const done = session.close(closed);
    await settle();
    expect(admission.running).toBe(1);
    hold.open();
    await done;
    expect(order).toEqual(['written', 'closed']);
  });

  it('closes a stream that was still being opened', async () => {
    const hold = gate();
    const make = runtime.openStream;
    runtime.openStream = async (call) => {
      await hold.promise;
      return make(call);
    };
    const session = open();
    const done = session.close(closed);
    await settle();
    expect(admission.running).toBe(1);
    hold.open();
    await done;
    expect(runtime.streams).toHaveLength(1);
  });

  it('drops what waits when it is closed, also while the stream is still being opened', async () => {
    const hold = gate();
    const make = runtime.openStream;
    runtime.openStream = async (call) => {
      await hold.promise;
      return make(call);
    };
    const session = open();
    session.put(0, packet(part('nobody waits for this')));
    session.put(5, packet(part('out of order')));
    const done = session.close(closed);
    // At once: the plugin may be stuck.
    expect(inputsHeld).toBe(0);
    hold.open();
    await done;
    expect(runtime.streams[0]?.written).toEqual([]);
  });
});
