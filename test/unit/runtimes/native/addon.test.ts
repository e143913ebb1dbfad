import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Addon, EngineRef, Opened, StreamRef } from '../../../../src/runtimes/native/addon.js';
import { loadAddon } from '../../../../src/runtimes/native/addon.js';
import { FileGate } from '../../../fixtures/file-gate.js';
import { expectNothingAlive, fixture } from './engines.js';

const options = {
  nullForEmpty: false,
  copyInput: false,
  lease: false,
  leasedBytes: 0,
  abandoned: 10,
  tagGraceMs: 1000,
  streamResults: 10,
  streamBytes: 1000,
  outputBytes: 1000,
  maxThreads: 1,
};

// Arguments of the wrong type are what these tests are about.
type Untyped = Record<keyof Addon, (...values: unknown[]) => unknown>;
const addon = loadAddon();
const untyped = addon as unknown as Untyped;

afterEach(expectNothingAlive);

describe('loadAddon', () => {
  it('should say how to build an addon that is missing', async () => {
    // It is loaded once, and this file has done so.
    vi.resetModules();
    const fresh = await import('../../../../src/runtimes/native/addon.js');
    process.env['AIGES_ADDON'] = '/nowhere/aiges.node';
    try {
      expect(fresh.loadAddon).toThrow(
        /^cannot load the native addon \/nowhere\/aiges\.node: .*; run npm run build:native$/,
      );
    } finally {
      delete process.env['AIGES_ADDON'];
    }
  });
});

describe('open', () => {
  it.each([
    ['a path that is no string', [1, [], options], 'expected a string for path'],
    ['a path with NUL', ['a\0b', [], options], 'expected a string without NUL for path'],
    ['a config that is no array', ['x', {}, options], 'expected an array for config'],
    ['a key without a value', ['x', ['a'], options], 'expected keys and values in turn for config'],
    ['a value that is no string', ['x', ['a', 1], options], 'expected strings for config'],
    ['missing options', ['x', []], 'expected an object for options'],
    ['a negative size', ['x', [], { ...options, leasedBytes: -1 }], 'expected a number for options.leasedBytes'],
    ['no number of threads', ['x', [], { ...options, maxThreads: NaN }], 'expected a number for options.maxThreads'],
    ['a flag that is no boolean', ['x', [], { ...options, lease: 1 }], 'expected a boolean for options.lease'],
  ])('should throw at once for %s', (_, values, message) => {
    expect(() => untyped.open(...values)).toThrow(new TypeError(message));
  });

  it('should reject with a typed error', async () => {
    await expect(addon.open(fixture('scripted'), ['initFail', '9'], options)).rejects.toMatchObject({
      name: 'PluginError',
      code: 'AIGES_INIT_FAILED',
      op: 'wrapperInit',
      pluginCode: 9,
      text: 'scripted error 9',
      message: 'wrapperInit: scripted error 9;code=9',
    });
    await expect(addon.open('/nowhere.so', [], options)).rejects.toMatchObject({
      code: 'AIGES_LOAD_FAILED',
      pluginCode: null,
    });
  });
});

describe('an engine', () => {
  const frame = { key: 'in', data: new Uint8Array(1), type: 0, status: 3, desc: [] };

  async function withEngine(use: (opened: Opened) => unknown): Promise<void> {
    const opened = await addon.open(fixture('scripted'), [], options);
    try {
      await use(opened);
    } finally {
      await addon.close(opened.engine);
    }
  }

  it.each([
    ['something else for an engine', [{}, 't', [], [], [], null], 'expected an engine that open() gave'],
    ['a tag with NUL', ['engine', 'a\0b', [], [], [], null], 'expected a string without NUL for tag'],
    ['half a parameter', ['engine', 't', ['a'], [], [], null], 'expected keys and values in turn for params'],
    ['no frames', ['engine', 't', [], null, [], null], 'expected an array for frames'],
    ['a frame that is no object', ['engine', 't', [], [1], [], null], 'expected an object for a frame'],
    [
      'data that is no Uint8Array',
      ['engine', 't', [], [{ ...frame, data: new Float64Array(1) }], [], null],
      'expected a Uint8Array for frame.data',
    ],
    [
      'a type that is no number',
      ['engine', 't', [], [{ ...frame, type: '0' }], [], null],
      'expected a number for frame.type',
    ],
    ['ids that are no numbers', ['engine', 't', [], [], ['1'], null], 'expected numbers for resourceIds'],
    ['a timeout that is no number', ['engine', 't', [], [], [], '1'], 'expected a number or null for timeout'],
  ])('should throw at once for %s', async (_, values, message) => {
    await withEngine(({ engine }) => {
      const given = values.map((value) => (value === 'engine' ? engine : value));
      expect(() => untyped.exec(...given)).toThrow(new TypeError(message));
      expect(() => untyped.execAsync(...given)).toThrow(new TypeError(message));
    });
  });

  it('should throw once it is closed', async () => {
    const { engine } = await addon.open(fixture('scripted'), [], options);
    await addon.close(engine);
    expect(() => addon.exec(engine, 't', [], [], [], null)).toThrow(TypeError);
    expect(() => addon.close(engine)).toThrow(TypeError);
    await expect(addon.records(engine)).resolves.toBeNull();
  });

  it('should keep small answers apart, however many there are and whatever happens to one of them', async () => {
    const { engine } = await addon.open(fixture('echo'), [], { ...options, outputBytes: 10_000 });
    const sizes = Array.from({ length: 300 }, (_, n) => [0, 1, 7, 8, 500, 1023, 1024, 1025][n % 8] ?? 0);
    const sent = sizes.map((size, n) => new Uint8Array(size).fill(n));
    const answers = [];
    for (const data of sent) {
      const frames = [{ key: 'k', data, type: 0, status: 3, desc: [] }];
      const answer = await addon.exec(engine, 't', [], frames, [], null);
      const received = answer.frames[0]?.data ?? new Uint8Array();
      expect(received.byteOffset % 8).toBe(0);
      answers.push(Buffer.from(received));
      answer.frames[0]?.data.fill(0xff);
    }
    expect(answers).toEqual(sent.map((data) => Buffer.from(data)));
    const held = await Promise.all(
      sent.map(async (data, n) => {
        const frames = [{ key: 'k', data, type: 0, status: 3, desc: [] }];
        return (await addon.exec(engine, `t${n}`, [], frames, [], null)).frames[0]?.data;
      }),
    );
    expect(held.map((data) => Buffer.from(data ?? []))).toEqual(sent.map((data) => Buffer.from(data)));
    await addon.close(engine);
  });

  it('should not take an engine for the memory of an answer', async () => {
    await withEngine(({ engine }) => {
      expect(() => {
        untyped.release(engine);
      }).toThrow(TypeError);
      expect(() => {
        untyped.release(new ArrayBuffer(1));
      }).toThrow(TypeError);
    });
  });

  it('should give one reader its records at a time', async () => {
    await withEngine(({ engine }) => {
      void addon.records(engine);
      expect(() => addon.records(engine)).toThrow('expected one reader of records at a time');
    });
  });
});

describe('a stream', () => {
  const frame = { key: 'in', data: new Uint8Array(1), type: 0, status: 2, desc: [] };

  async function withStream(
    async: boolean,
    use: (stream: StreamRef, engine: EngineRef) => unknown,
    { params = [], closed = false }: { params?: string[]; closed?: boolean } = {},
  ): Promise<void> {
    const { engine } = await addon.open(fixture('scripted'), [], options);
    try {
      const stream = await addon.openStream(engine, 'stream', ['destroy', 'final', ...params], [], async);
      try {
        await use(stream, engine);
      } finally {
        if (!closed) await addon.closeStream(stream);
      }
    } finally {
      await addon.close(engine);
    }
  }

  it.each([
    ['something else for an engine', [{}, 't', [], [], false], 'expected an engine that open() gave'],
    ['a tag with NUL', ['engine', 'a\0b', [], [], false], 'expected a string without NUL for tag'],
    ['half a parameter', ['engine', 't', ['a'], [], false], 'expected keys and values in turn for params'],
    ['ids that are no numbers', ['engine', 't', [], ['1'], false], 'expected numbers for resourceIds'],
    ['no boolean', ['engine', 't', [], [], 1], 'expected a boolean for async'],
  ])('should throw at once for %s', async (_, values, message) => {
    await withStream(false, (_, engine) => {
      const given = values.map((value) => (value === 'engine' ? engine : value));
      expect(() => untyped.openStream(...given)).toThrow(new TypeError(message));
    });
  });

  it('should not take an engine for a stream, nor anything for frames', async () => {
    await withStream(true, (stream, engine) => {
      for (const name of ['writeStream', 'readStream', 'streamResults', 'closeStream'] as const) {
        expect(() => untyped[name](engine, [])).toThrow(new TypeError('expected a stream that openStream() gave'));
      }
      expect(() => untyped.exec(stream, 't', [], [], [], null)).toThrow(
        new TypeError('expected an engine that open() gave'),
      );
      expect(() => untyped.writeStream(stream, {})).toThrow(new TypeError('expected an array for frames'));
    });
  });

  it('should throw once it is closed', async () => {
    await withStream(
      true,
      async (stream) => {
        await addon.closeStream(stream);
        const message = new TypeError('expected an open stream, this one is closed');
        expect(() => addon.writeStream(stream, [])).toThrow(message);
        expect(() => addon.readStream(stream)).toThrow(message);
        expect(() => untyped.closeStream(stream)).toThrow(message);
        await expect(addon.streamResults(stream)).resolves.toBeNull();
      },
      { closed: true },
    );
    const { engine } = await addon.open(fixture('scripted'), [], options);
    await addon.close(engine);
    expect(() => untyped.openStream(engine, 't', [], [], false)).toThrow(TypeError);
  });

  it('should give one reader its results at a time, and none to a stream that is read', async () => {
    await withStream(true, (stream) => {
      void addon.streamResults(stream);
      expect(() => addon.streamResults(stream)).toThrow('expected one reader of results at a time');
    });
    await withStream(false, (stream) => {
      expect(() => addon.streamResults(stream)).toThrow('expected a stream that calls back');
    });
  });

  it('should refuse a call that would overlap with another', async () => {
    const gate = new FileGate();
    await withStream(
      false,
      async (stream) => {
        const writing = addon.writeStream(stream, [frame]);
        await expect(addon.readStream(stream)).rejects.toMatchObject({ code: 'AIGES_BUSY', op: 'wrapperRead' });
        gate.open();
        await writing;
      },
      { params: ['write', 'waitFile', 'file', gate.file] },
    );
    gate.remove();
  });

  it('should refuse ids that do not fit, whatever they are', async () => {
    const { engine } = await addon.open(fixture('scripted'), [], options);
    for (const id of [-1, 1.5, 4294967296, NaN, '1', null, undefined] as number[]) {
      expect(() => addon.loadResource(engine, id, [frame])).toThrow('expected an unsigned 32-bit number for id');
      expect(() => addon.unloadResource(engine, id)).toThrow(TypeError);
    }
    expect(() => addon.loadResource(engine, 1, {} as [])).toThrow('expected an array for frames');
    await addon.close(engine);
    expect(() => addon.loadResource(engine, 1, [frame])).toThrow(TypeError);
    expect(() => addon.unloadResource(engine, 1)).toThrow(TypeError);
  });

  it('should reject with what wrapperDestroy returned', async () => {
    const { engine } = await addon.open(fixture('scripted'), [], options);
    const stream = await addon.openStream(engine, 't', ['destroy', 'fail', 'code', '5'], [], false);
    await expect(addon.closeStream(stream)).rejects.toMatchObject({ op: 'wrapperDestroy', pluginCode: 5 });
    await addon.close(engine);
  });
});
