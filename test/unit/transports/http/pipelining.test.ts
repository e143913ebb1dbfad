import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../fixtures/eventually.js';
import { gate, textFrame } from '../../../fixtures/fake-runtime.js';
import { listen, route, setup, type Setup } from '../../../fixtures/http-server.js';

const post = (accept: string): string =>
  `POST ${route} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\nContent-Length: 2\r\n\r\n{}`;

async function client(server: Setup): Promise<Socket> {
  const socket = connect({ port: await listen(server), host: '127.0.0.1' });
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

describe('a client that leaves while its answers wait for the one before them', () => {
  it('ends the stream among them, and the server can end', async () => {
    const hold = gate();
    onTestFinished(() => {
      hold.open();
    });
    const server = await setup(
      async () => {
        await hold.promise;
        return [];
      },
      { permits: 2, takes: { once: true, stream: true } },
    );
    const socket = await client(server);
    socket.write(post('application/json') + post('text/event-stream'));
    await eventually(() => server.runtime.streams[0]?.written.length).toBe(1);
    server.runtime.streams[0]?.give('one');
    socket.destroy();
    await eventually(() => server.runtime.streams[0]?.closed).toBe(1);
    await eventually(() => server.requests).toMatchObject([{ complete: false }, { complete: false }]);
    hold.open();
    await eventually(() => server.service.load.running).toBe(0);
    await server.app.answered();
    await server.app.close();
  });

  it('gives back the outputs that were ready for it', async () => {
    const hold = gate();
    onTestFinished(() => {
      hold.open();
    });
    let calls = 0;
    const server = await setup(
      async () => {
        if (calls++ === 0) await hold.promise;
        return [textFrame('result', 'x')];
      },
      { permits: 2 },
    );
    const socket = await client(server);
    socket.write(post('application/json') + post('text/*'));
    await eventually(() => [calls, server.service.load.running, server.runtime.outputsAlive]).toEqual([2, 1, 1]);
    socket.destroy();
    await eventually(() => server.runtime.outputsAlive).toBe(0);
  });

  it('costs a connection no listener for each of its requests', async () => {
    const server = await setup(() => []);
    const counts: number[] = [];
    server.app.addHook('onRequest', ({ raw }, _reply, done) => {
      counts.push(raw.socket.listenerCount('close'));
      done();
    });
    const socket = await client(server);
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    for (let i = 1; i <= 3; i++) {
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => received.split('"ok"').length).toBe(i + 1);
    }
    expect(new Set(counts).size).toBe(1);
  });
});

describe('what comes behind an answer that has not ended', () => {
  it.each([
    ['garbage', 'garbage\r\n\r\n'],
    ['another request and garbage', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\ngarbage\r\n\r\n'],
  ])('is not answered in its place: %s', async (_what, text) => {
    const hold = gate();
    const server = await setup(async () => {
      await hold.promise;
      return [];
    });
    onTestFinished(() => {
      hold.open();
    });
    const socket = await client(server);
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.write(post('application/json'));
    await eventually(() => server.service.load.running).toBe(1);
    socket.write(text);
    await eventually(() => socket.closed).toBe(true);
    expect(received).toBe('');
  });

  it('is not answered in the middle of it', async () => {
    const server = await setup(() => [], { takes: { once: true, stream: true } });
    const socket = await client(server);
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.write(post('text/event-stream'));
    await eventually(() => server.runtime.streams[0]?.written.length).toBe(1);
    server.runtime.streams[0]?.give('one');
    await eventually(() => received).toContain('event: result');
    socket.write('garbage\r\n\r\n');
    await eventually(() => socket.closed).toBe(true);
    expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});
