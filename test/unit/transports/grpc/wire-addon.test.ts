import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CommandField,
  CommandKind,
  commandStride,
  loadWireAddon,
  type WireAddon,
  type WireRef,
} from '../../../../src/transports/grpc/wire-addon.js';
import { eventually } from '../../../fixtures/eventually.js';
import { wireOptions } from '../../../fixtures/grpc-servers.js';

// Arguments of the wrong type are what these tests are about.
type Untyped = Record<keyof WireAddon, (...values: unknown[]) => unknown>;
const addon = loadWireAddon();
const untyped = addon as unknown as Untyped;
const version = process.versions['nghttp2'] ?? '';

describe('wireUnavailable', () => {
  it('throws for a version that is no text', () => {
    expect(() => untyped.wireUnavailable(1)).toThrow(new TypeError('expected a string for version'));
  });

  it('says why an old copy of nghttp2 does not do', () => {
    expect(addon.wireUnavailable('1.51.0')).toMatch(/1\.51.*1\.52/);
  });

  it('has nothing against the copy of this Node', () => {
    expect(addon.wireUnavailable(version)).toBeNull();
  });
});

describe('wireOpen', () => {
  const deliver = (): void => undefined;

  it.each([
    ['no options', [version], 'expected an object for options'],
    ['a missing option', [version, {}], 'expected a number for options.maxReceiveBytes'],
    [
      'a negative option',
      [version, wireOptions({ maxStreams: -1 }), [], [], deliver],
      'expected a number for options.maxStreams',
    ],
    ['no methods', [version, wireOptions(), '', [], deliver], 'expected arrays for methods'],
    ['a path that is no text', [version, wireOptions(), [1], [true], deliver], 'expected a string for path'],
    ['nobody to deliver to', [version, wireOptions(), [], []], 'expected a function for deliver'],
  ])('throws at once for %s', (_, values, message) => {
    expect(() => untyped.wireOpen(...values)).toThrow(new TypeError(message));
  });
});

describe('a server', () => {
  let server: WireRef;
  let stopped = false;

  beforeEach(() => {
    stopped = false;
    server = addon.wireOpen(version, wireOptions(), ['/a.B/c'], [false], () => undefined);
  });

  afterEach(async () => {
    if (!stopped) await addon.wireStop(server);
  });

  const command = (changes: Partial<Record<keyof typeof CommandField, number>>): Float64Array => {
    const numbers = new Float64Array(commandStride);
    for (const [name, value] of Object.entries(changes))
      numbers[CommandField[name as keyof typeof CommandField]] = value;
    return numbers;
  };
  const bytes = new Uint8Array(8);
  const { message, finish, metadata } = CommandKind;

  it('is nothing that somebody else made', () => {
    for (const other of [null, {}, 1]) {
      expect(() => untyped.wireStats(other)).toThrow(new TypeError('expected a server that wireOpen() gave'));
    }
  });

  it.each([
    ['a host that is no text', [1, 0, false], 'expected a string for host'],
    ['no port', ['127.0.0.1', 70_000, false], 'expected a port number for port'],
    ['a flag that is no boolean', ['127.0.0.1', 0, 1], 'expected a boolean for reusePort'],
  ])('does not listen on %s', (_, values, text) => {
    expect(() => untyped.wireListen(server, ...values)).toThrow(new TypeError(text));
  });

  it.each([
    ['a path that is no text', 1, 'expected a string for path'],
    ['no path', '', 'expected a file name for path'],
    ['a path that ends in the middle', 'a\0b', 'expected a string without NUL for path'],
  ])('does not listen on %s', (_, path, text) => {
    expect(() => untyped.wireListenUnix(server, path)).toThrow(new TypeError(text));
  });

  it('says that a path is too long for a socket', () => {
    expect(() => {
      addon.wireListenUnix(server, `/tmp/${'x'.repeat(108)}`);
    }).toThrow(expect.objectContaining({ code: 'ENAMETOOLONG' }));
  });

  it.each([
    ['commands of another type', [new Float32Array(6), 1, bytes, null], 'expected a Float64Array for commands'],
    ['no count', [command({}), null, bytes, null], 'expected a number for count'],
    ['too few commands', [command({}), 2, bytes, null], 'expected as many commands as count says'],
    ['a fraction of nothing', [command({}), NaN, bytes, null], 'expected integers in commands'],
    ['bytes of another type', [command({}), 1, 'x', null], 'expected a Uint8Array for bytes'],
    ['chunks that are no array', [command({}), 1, bytes, 1], 'expected an array or null for chunks'],
    ['a kind that is unknown', [command({ kind: 9 }), 1, bytes, null], 'expected a known kind of command'],
    ['a negative call', [command({ call: -1 }), 1, bytes, null], 'expected integers in commands'],
    [
      'more text than there is',
      [command({ kind: message, text: 9 }), 1, bytes, null],
      'expected as many bytes as the commands name',
    ],
    ['half a field', [command({ kind: metadata, fields: 7 }), 1, bytes, null], 'expected whole fields'],
    [
      'a field that is longer than said',
      [command({ kind: metadata, fields: 8 }), 1, Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0]), null],
      'expected whole fields',
    ],
    [
      'more chunks than there are',
      [command({ kind: message, chunks: 2, subject: 1 }), 1, bytes, [bytes]],
      'expected as many chunks as the commands name',
    ],
    [
      'chunks that nobody would be told about',
      [command({ kind: message, chunks: 1 }), 1, bytes, [bytes]],
      'expected a token for lent chunks',
    ],
    [
      'a chunk that is no bytes',
      [command({ kind: message, chunks: 1, subject: 1 }), 1, bytes, ['x']],
      'expected a Uint8Array for a chunk',
    ],
    [
      'a status beyond 32 bits',
      [command({ kind: finish, subject: 2 ** 32 }), 1, bytes, null],
      'expected a status code of 32 bits',
    ],
  ])('does not take %s', (_, values, text) => {
    expect(() => untyped.wireSubmit(server, ...values)).toThrow(new TypeError(text));
  });

  it('takes commands for calls that it does not know', () => {
    for (const kind of Object.values(CommandKind)) addon.wireSubmit(server, command({ kind, call: 7 }), 1, bytes, null);
  });

  it('leaves an ArrayBuffer alone that is not its own', () => {
    const strangers = Buffer.from('pooled').buffer;
    addon.wireRelease(server, strangers);
    expect(strangers.byteLength).toBeGreaterThan(0);
    expect(() => untyped.wireRelease(server, new Uint8Array(1))).toThrow(
      new TypeError('expected an ArrayBuffer for buffer'),
    );
  });

  it('is stopped once, and does nothing but count afterwards', async () => {
    stopped = true;
    await addon.wireStop(server);
    const message = 'expected a running server, this one has been stopped';
    expect(() => addon.wireStop(server)).toThrow(new TypeError(message));
    expect(() => addon.wireListen(server, '127.0.0.1', 0, false)).toThrow(new TypeError(message));
    expect(() => {
      addon.wireDrain(server);
    }).toThrow(new TypeError(message));
    addon.wireSubmit(server, command({ kind: CommandKind.message, chunks: 1, subject: 1 }), 1, bytes, [bytes]);
    await eventually(() => addon.wireStats(server)).toMatchObject({ connections: 0, calls: 0, tokens: 0 });
  });
});
