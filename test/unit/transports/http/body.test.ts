import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { eventually } from '../../../fixtures/eventually.js';
import { gate, textFrame } from '../../../fixtures/fake-runtime.js';
import { listen, route, setup, type Setup } from '../../../fixtures/http-server.js';

const limits = { maxBodyBytes: 10_000, memoryBytes: 10_000, permits: 10 };
const whole = JSON.stringify({ header: { filler: '' } }).padEnd(10_000);
const small = '{}';

async function post({ app }: Pick<Setup, 'app'>, payload: string): Promise<number> {
  return (await app.inject({ method: 'POST', url: route, payload })).statusCode;
}

/** A connection with a request that is not whole. */
function unfinished(port: number, fields: string, body: string): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => undefined);
  socket.write(`POST ${route} HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n${body}`);
  return socket;
}

describe('memory for bodies', () => {
  it('that is in use has a request answered 503, with when and why', async () => {
    const hold = gate<readonly never[]>();
    const server = await setup(() => hold.promise, limits);
    const first = post(server, whole);
    await eventually(() => server.runtime.calls).toBe(1);
    const refused = await server.app.inject({ method: 'POST', url: route, payload: small });
    expect(refused.statusCode).toBe(503);
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'x-aiges-code': '10110' });
    expect(refused.json()).toMatchObject({
      header: { code: 10110, message: expect.stringContaining('[http].memory') as unknown },
      payload: null,
    });
    expect(server.errors).toMatchObject([{ kind: 'noMemory' }]);
    hold.open([]);
    expect(await first).toBe(200);
  });

  it('is enough for the longest body when nothing else is held, again and again', async () => {
    const server = await setup(() => [], limits);
    for (let i = 0; i < 5; i++) {
      expect(await post(server, whole)).toBe(200);
      expect(await post(server, '{'.padEnd(10_000))).toBe(400);
      expect(await post(server, whole + ' ')).toBe(413);
    }
  });

  it('is in use until the answer is out', async () => {
    const data = Buffer.alloc(32 << 20, 7);
    const server = await setup(() => [textFrame('result', '', { data, type: 4 })], limits);
    const port = await listen(server);
    const socket = unfinished(port, `Accept: video/*\r\nContent-Length: ${whole.length}`, whole);
    await eventually(() => server.runtime.calls).toBe(1);
    expect(await post(server, small)).toBe(503);
    socket.resume();
    await eventually(() => post(server, small)).toBe(200);
  });

  it('is in use until the plugin has returned, though it has been answered for it', async () => {
    const hold = gate<readonly never[]>();
    const server = await setup(() => hold.promise, { ...limits, onceTimeoutMs: 5 });
    expect(await post(server, whole)).toBe(504);
    expect(await post(server, small)).toBe(503);
    hold.open([]);
    await eventually(() => post(server, whole)).toBe(200);
  });

  it('is in use until the plugin has returned, though its client has left', async () => {
    const hold = gate<readonly never[]>();
    const server = await setup(() => hold.promise, limits);
    const port = await listen(server);
    const socket = unfinished(port, `Content-Length: ${whole.length}`, whole);
    await eventually(() => server.runtime.calls).toBe(1);
    socket.destroy();
    await eventually(() => server.errors).toMatchObject([{ kind: 'cancelled' }]);
    expect(await post(server, small)).toBe(503);
    hold.open([]);
    await eventually(() => post(server, whole)).toBe(200);
  });

  it('is in use for a stream until its end', async () => {
    const server = await setup(() => [], { ...limits, takes: { once: false, stream: true } });
    const port = await listen(server);
    const client = request({ port, path: route, method: 'POST', headers: { accept: 'text/event-stream' } });
    client.on('error', () => undefined);
    client.end(whole);
    await eventually(() => server.runtime.streams[0]?.written.length).toBe(1);
    expect(await post(server, small)).toBe(503);
    client.destroy();
    // There is memory: it is another thing that is wrong with it.
    await eventually(() => post(server, small)).toBe(406);
  });

  it('is not for streams that got no licence', async () => {
    const server = await setup(() => [], { ...limits, permits: 1, takes: { once: false, stream: true } });
    const open = server.service.open({ sid: 'a', tag: 'a', params: new Map(), resourceIds: [], expect: null }, 1);
    const headers = { accept: 'text/event-stream' };
    for (let i = 0; i < 3; i++) {
      const refused = await server.app.inject({ method: 'POST', url: route, payload: whole, headers });
      expect(refused.statusCode).toBe(429);
    }
    await open.close(new AigesError('cancelled'));
  });

  it.each([
    ['with a length', 'Content-Length: 10000', ' '.repeat(6000)],
    ['in chunks', 'Transfer-Encoding: chunked', `2328\r\n${' '.repeat(9000)}\r\n`],
  ])('is in use for a body %s that does not end, until its client leaves', async (_how, fields, body) => {
    const server = await setup(() => [], limits);
    const port = await listen(server);
    const socket = unfinished(port, fields, body);
    await eventually(() => post(server, ' '.repeat(5000))).toBe(503);
    socket.destroy();
    await eventually(() => post(server, whole)).toBe(200);
  });

  it('is not taken by what is only announced', async () => {
    const server = await setup(() => [], limits);
    const port = await listen(server);
    for (let i = 0; i < 20; i++) unfinished(port, 'Content-Length: 10000', ' ');
    await eventually(
      () =>
        new Promise<number>((resolve) => {
          server.app.server.getConnections((_error, count) => {
            resolve(count);
          });
        }),
    ).toBe(20);
    expect(await post(server, ' '.repeat(4000) + '{}')).toBe(200);
  });

  it('is given back by who is refused, while the rest of the body still comes', async () => {
    const server = await setup(() => [], limits);
    const port = await listen(server);
    const first = unfinished(port, 'Transfer-Encoding: chunked', `1770\r\n${' '.repeat(6000)}\r\n`);
    await eventually(() => post(server, ' '.repeat(5000))).toBe(503);
    const second = unfinished(port, 'Transfer-Encoding: chunked', `1770\r\n${' '.repeat(6000)}\r\n`);
    let received = '';
    second.on('data', (chunk: Buffer) => (received += chunk.toString()));
    await eventually(() => received).toMatch(/^HTTP\/1\.1 503 [^]*connection: close/i);
    first.destroy();
    await eventually(() => post(server, whole)).toBe(200);
  });
});
