import { describe, expect, it } from 'vitest';
import { CommandField, CommandKind, commandStride } from '../../../../src/transports/grpc/wire-addon.js';
import { noFields } from '../../../../src/transports/grpc/wire-fields.js';
import { WireMessage } from '../../../../src/transports/grpc/wire-message.js';
import { Outbox } from '../../../../src/transports/grpc/wire-outbox.js';

interface Submitted {
  readonly commands: readonly (readonly number[])[];
  readonly bytes: string;
  readonly chunks: readonly Uint8Array[] | null;
}

/** An outbox and what it has submitted. */
function open(): { outbox: Outbox; batches: Submitted[] } {
  const batches: Submitted[] = [];
  const outbox = new Outbox((commands, count, bytes, chunks) => {
    const rows = Array.from({ length: count }, (_, i) => [
      ...commands.subarray(i * commandStride, (i + 1) * commandStride),
    ]);
    const used = rows.reduce((sum, row) => sum + (row[CommandField.text] ?? 0) + (row[CommandField.fields] ?? 0), 0);
    batches.push({ commands: rows, bytes: Buffer.from(bytes.subarray(0, used)).toString(), chunks });
  });
  return { outbox, batches };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const nothing = (): WireMessage => new WireMessage(new Uint8Array(0), null);

describe('the outbox', () => {
  it('submits nothing when there is nothing', async () => {
    const { batches } = open();
    await tick();
    expect(batches).toEqual([]);
  });

  it('submits what one turn brings in one batch', async () => {
    const { outbox, batches } = open();
    outbox.metadata(1, Buffer.from('fields'));
    await Promise.resolve();
    outbox.reply(1, { chunks: [Buffer.from('one')] }, nothing(), Buffer.from('tail'));
    await Promise.resolve();
    outbox.finish(2, 13, 'wörse', noFields);
    outbox.consumed(3, 77);
    expect(batches).toEqual([]);
    await tick();
    expect(batches).toEqual([
      {
        commands: [
          [CommandKind.metadata, 1, 0, 0, 0, 6],
          [CommandKind.reply, 1, 0, 3, 0, 4],
          [CommandKind.finish, 2, 13, 6, 0, 0],
          [CommandKind.consumed, 3, 77, 0, 0, 0],
        ],
        bytes: 'fieldsonetailwörse',
        chunks: null,
      },
    ]);
  });

  it('submits before it runs out of room', async () => {
    const { outbox, batches } = open();
    for (let call = 0; call < 1000; call++) outbox.finish(call, 0, 'x'.repeat(100), noFields);
    outbox.finish(1000, 0, 'y'.repeat(1 << 20), noFields);
    await tick();
    expect(batches.flatMap(({ commands }) => commands.map((row) => row[CommandField.call]))).toEqual(
      Array.from({ length: 1001 }, (_, i) => i),
    );
    expect(batches.map(({ bytes }) => bytes).join('')).toBe('x'.repeat(100_000) + 'y'.repeat(1 << 20));
  });

  it('lends what is large, and releases it and the request when it is told to, once', async () => {
    const { outbox, batches } = open();
    const large = Buffer.alloc(20_000);
    const tail = Buffer.from('tail');
    let freed = 0;
    let released = 0;
    const message = new WireMessage(new Uint8Array(1), () => freed++);
    outbox.reply(5, { chunks: [Buffer.from('head'), large, tail], release: () => released++ }, message, noFields);
    await tick();
    expect(batches).toEqual([{ commands: [[CommandKind.reply, 5, 1, 4, 2, 0]], bytes: 'head', chunks: [large, tail] }]);
    expect({ freed, released }).toEqual({ freed: 0, released: 0 });
    outbox.released(1);
    outbox.released(1);
    outbox.released(2);
    expect({ freed, released }).toEqual({ freed: 1, released: 1 });
  });

  it('says which replies lie in memory that is needed elsewhere', async () => {
    const { outbox, batches } = open();
    const large = Buffer.alloc(20_000);
    for (const leased of [true, false]) outbox.reply(5, { chunks: [large], leased }, nothing(), noFields);
    outbox.message(6, { chunks: [large], leased: true }, null, () => undefined);
    await tick();
    expect(batches[0]?.commands).toEqual([
      [CommandKind.leasedReply, 5, 1, 0, 1, 0],
      [CommandKind.reply, 5, 2, 0, 1, 0],
      [CommandKind.message, 6, 3, 0, 1, 0],
    ]);
  });

  it('releases what it has copied at once', () => {
    const { outbox } = open();
    let released = 0;
    outbox.reply(5, { chunks: [Buffer.alloc(16_000)], release: () => released++ }, nothing(), noFields);
    expect(released).toBe(1);
  });

  it('says when a message of a stream is written, even a small one', () => {
    const { outbox } = open();
    let written = 0;
    outbox.message(5, { chunks: [Buffer.from('x')] }, null, () => written++);
    expect(written).toBe(0);
    outbox.released(1);
    expect(written).toBe(1);
  });

  it('gives back what was lent when the wire has ended, and whatever comes after that', () => {
    const { outbox } = open();
    const released: string[] = [];
    const reply = (name: string) => ({ chunks: [Buffer.alloc(32 * 1024)], release: () => void released.push(name) });
    outbox.reply(1, reply('before'), nothing(), noFields);
    outbox.message(2, reply('message'), null, () => void released.push('written'));
    expect(released).toEqual([]);
    outbox.close();
    expect(released).toEqual(['before', 'message', 'written']);
    outbox.reply(3, reply('after'), nothing(), noFields);
    outbox.released(1);
    expect(released).toEqual(['before', 'message', 'written', 'after']);
  });
});
