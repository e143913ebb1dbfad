import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { HttpServer } from '../../../../src/transports/http/server.js';
import { eventually } from '../../../fixtures/eventually.js';
import { gate, textFrame } from '../../../fixtures/fake-runtime.js';
import { listen, route, setup } from '../../../fixtures/http-server.js';

/** A connection whose every byte the test writes itself. */
class Wire {
  received = '';
  closed = false;
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => (this.closed = true));
    onTestFinished(() => {
      this.#socket.destroy();
    });
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** Reads nothing from now on. */
  pause(): void {
    this.#socket.pause();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

const patience = { headersMs: 60_000, bodyMs: 60_000, sendMs: 60_000, keepAliveMs: 60_000 };
const head = (fields: string): string => `POST ${route} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;

describe('a client that is slow', () => {
  it('with its headers is answered 408 and cut off', async () => {
    const { app } = await setup(() => [], { patience: { ...patience, headersMs: 40, bodyMs: 40 } });
    const port = await listen({ app });
    const wire = new Wire(port);
    wire.write(`POST ${route} HTTP/1.1\r\nHost: x\r\n`);
    await eventually(() => wire.closed).toBe(true);
    expect(wire.received).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(JSON.parse(wire.received.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      header: { code: 10000, message: expect.stringContaining('[http].bodyTimeout') as unknown },
      payload: null,
    });
  });

  it('and says nothing at all is cut off', async () => {
    const { app } = await setup(() => [], { patience: { ...patience, headersMs: 40, bodyMs: 40 } });
    const wire = new Wire(await listen({ app }));
    await eventually(() => wire.closed).toBe(true);
  });

  it('with its body is answered 408 and cut off, however it drips', async () => {
    const { app, runtime } = await setup(() => [], { patience: { ...patience, headersMs: 60, bodyMs: 60 } });
    const wire = new Wire(await listen({ app }));
    wire.write(head('Content-Length: 1000\r\n'));
    const dripping = setInterval(() => {
      wire.write(' ');
    }, 5);
    onTestFinished(() => {
      clearInterval(dripping);
    });
    await eventually(() => wire.closed).toBe(true);
    expect(wire.received).toMatch(/^HTTP\/1\.1 408 /);
    expect(runtime.calls).toBe(0);
  });

  it('with its next request is cut off', async () => {
    const { app } = await setup(() => [], { patience: { ...patience, keepAliveMs: 20 } });
    const wire = new Wire(await listen({ app }));
    wire.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => wire.closed).toBe(true);
    expect(wire.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('with reading its answer is cut off, and the answer goes', async () => {
    const data = Buffer.alloc(32 << 20, 7);
    const { app, runtime, requests } = await setup(() => [textFrame('result', '', { data, type: 4 })], {
      patience: { ...patience, sendMs: 50 },
    });
    const wire = new Wire(await listen({ app }));
    wire.pause();
    wire.write(head('Content-Length: 2\r\nAccept: video/*\r\n') + '{}');
    await eventually(() => requests).toMatchObject([{ status: 200, complete: false }]);
    expect(runtime.outputsAlive).toBe(0);
  });

  it('with reading its answer gets all of it as long as it reads', async () => {
    const data = Buffer.alloc(32 << 20, 7);
    const { app } = await setup(() => [textFrame('result', '', { data, type: 4 })], {
      patience: { ...patience, sendMs: 30_000 },
    });
    const port = await listen({ app });
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write(head('Content-Length: 2\r\nAccept: video/*\r\nConnection: close\r\n') + '{}');
    let received = 0;
    for await (const chunk of socket) {
      received += (chunk as Buffer).length;
      if (received % 64 === 0) await delay(1);
    }
    expect(received).toBeGreaterThan(data.length);
  });

  it('is served in chunks of one byte', async () => {
    const { app } = await setup((_call, frames) => frames);
    const wire = new Wire(await listen({ app }));
    wire.write(head('Transfer-Encoding: chunked\r\n'));
    for (const byte of '{"payload":{"a":{"text":"aGVsbG8="}}}') {
      wire.write(`1\r\n${byte}\r\n`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    wire.write('0\r\n\r\n');
    await eventually(() => wire.received).toContain('"text":"hello"');
  });

  it('and leaves in the middle of its body has left, and done nothing wrong', async () => {
    const { app, errors, runtime } = await setup(() => []);
    const wire = new Wire(await listen({ app }));
    wire.write(head('Content-Length: 100\r\n') + '{"payload"');
    await eventually(() => connections(app)).toBe(1);
    wire.destroy();
    await eventually(() => errors).toMatchObject([{ kind: 'cancelled' }]);
    expect(runtime.calls).toBe(0);
  });

  it('costs little more than its bytes, whatever its chunks', async () => {
    const count = 200_000;
    const { app } = await setup((_call, frames) => frames, { maxBodyBytes: count + 100 });
    let server: Socket | undefined;
    app.server.once('connection', (socket: Socket) => (server = socket));
    const wire = new Wire(await listen({ app }));
    const before = await heldBytes();
    const begin = head('Transfer-Encoding: chunked\r\n');
    const chunks = '1\r\n \r\n'.repeat(count);
    wire.write(begin + chunks);
    await eventually(() => server?.bytesRead).toBe(begin.length + chunks.length);
    // With an object for each chunk it is two hundred times as much.
    expect((await heldBytes()) - before).toBeLessThan(10 * count);
    const document = '{"payload":{"a":{"text":"aGVsbG8="}}}';
    wire.write(`${document.length.toString(16)}\r\n${document}\r\n0\r\n\r\n`);
    await eventually(() => wire.received).toContain('"text":"hello"');
  });

  it('is refused beyond the limit for bodies, with a length or without', async () => {
    const { app, runtime } = await setup(() => []);
    const port = await listen({ app });
    const withLength = new Wire(port);
    withLength.write(head('Content-Length: 1025\r\n'));
    await eventually(() => withLength.received).toMatch(/^HTTP\/1\.1 413 [^]*"code":10000/);
    const chunked = new Wire(port);
    chunked.write(`${head('Transfer-Encoding: chunked\r\n')}401\r\n${' '.repeat(1025)}\r\n`);
    await eventually(() => chunked.received).toMatch(/^HTTP\/1\.1 413 [^]*"code":10000/);
    await eventually(() => [withLength.closed, chunked.closed]).toEqual([true, true]);
    expect(runtime.calls).toBe(0);
  });

  it('is one of many that keep nobody else from being served', async () => {
    const count = 1500;
    const { app, runtime } = await setup(() => [], { maxConnections: 2000 });
    const port = await listen({ app });
    // Both ends are descriptors of this process, of which there may be no more than 4096.
    const slow: Wire[] = [];
    while (slow.length < count) {
      // No more at once than the system keeps until they are accepted: it has the others try again, later and later.
      for (let i = 0; i < 500; i++) slow.push(new Wire(port));
      for (const wire of slow.slice(-500)) wire.write(head('Content-Length: 100\r\n') + '{"payload"');
      await eventually(() => connections(app)).toBe(slow.length);
    }
    const answer = await fetch(`http://127.0.0.1:${port}${route}`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(200);
    expect(runtime.calls).toBe(1);
    for (const wire of slow) wire.destroy();
    // The one that is left is that of the client above.
    await eventually(() => connections(app)).toBeLessThanOrEqual(1);
  }, 180_000);
});

describe('connections', () => {
  it('beyond the limit are closed at once, and served again when there is room', async () => {
    const { app } = await setup(() => [], { maxConnections: 2 });
    const port = await listen({ app });
    const first = new Wire(port);
    const second = new Wire(port);
    await eventually(() => connections(app)).toBe(2);
    const third = new Wire(port);
    await eventually(() => third.closed).toBe(true);
    expect(third.received).toBe('');
    first.destroy();
    await eventually(() => connections(app)).toBe(1);
    const fourth = new Wire(port);
    for (const wire of [second, fourth]) wire.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => [second.received.slice(9, 12), fourth.received.slice(9, 12)]).toEqual(['200', '200']);
  });
});

describe('what is no HTTP', () => {
  it.each([
    ['garbage', 'hello\r\n\r\n', 400],
    ['two lengths', head('Content-Length: 1\r\nContent-Length: 2\r\n'), 400],
    ['a length and chunks', head('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'), 400],
    ['too large a header', head(`X: ${'x'.repeat(20_000)}\r\n`), 431],
  ])('is answered with the document of an error: %s', async (_name, text, status) => {
    const { app } = await setup(() => []);
    const wire = new Wire(await listen({ app }));
    wire.write(text);
    await eventually(() => wire.closed).toBe(true);
    expect(wire.received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(wire.received.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      header: { code: 10000 },
      payload: null,
    });
  });
});

describe('the end of the server', () => {
  it('loses no answer that has begun, though its client reads slowly', async () => {
    const data = Buffer.alloc(32 << 20, 7);
    const hold = gate();
    const server = await setup(async () => {
      await hold.promise;
      return [textFrame('result', '', { data, type: 4 })];
    });
    const port = await listen(server);
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write(head('Content-Length: 2\r\nAccept: video/*\r\n') + '{}');
    await eventually(() => server.service.load.running).toBe(1);
    const answered = server.app.answered();
    hold.open();
    await server.service.drain();
    const closed = server.app.close();
    let received = 0;
    for await (const chunk of socket) {
      received += (chunk as Buffer).length;
      if (received % 64 === 0) await delay(1);
    }
    expect(received).toBeGreaterThan(data.length);
    await Promise.all([answered, closed]);
  });

  it('waits for a client that has not read its answer for as long as it may take', async () => {
    onTestFinished(() => {
      vi.useRealTimers();
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const data = Buffer.alloc(32 << 20, 7);
    const server = await setup(() => [textFrame('result', '', { data, type: 4 })]);
    const socket = connect({ port: await listen(server), host: '127.0.0.1' });
    socket.write(head('Content-Length: 2\r\nAccept: video/*\r\n') + '{}');
    await eventually(() => server.runtime.outputsAlive).toBe(1);
    const closed = server.app.close();
    await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(600_000);
    await new Promise((resolve) => setImmediate(resolve));
    let received = 0;
    for await (const chunk of socket) received += (chunk as Buffer).length;
    expect(received).toBeGreaterThan(data.length);
    await closed;
  });
});

/** What is left of the memory of objects and buffers after the garbage is gone. */
async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Buffers that the first one finds are given back a turn later.
  for (let i = 0; i < 2; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function connections({ server }: HttpServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}
