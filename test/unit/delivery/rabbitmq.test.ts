import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connectRabbit } from '../../../src/delivery/rabbitmq.js';
import { eventually } from '../../fixtures/eventually.js';

let server: Server | null = null;
const sockets = new Set<Socket>();

async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    // Whoever reads nothing does not notice that the other end is gone.
    socket.resume();
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  const closing = server;
  if (closing !== null) await new Promise((resolve) => closing.close(resolve));
  server = null;
});

async function failure(port: number, signal = new AbortController().signal): Promise<Error> {
  const options = { user: 'u', password: 'swordfish', queue: 'q', onWarning: () => undefined };
  return connectRabbit({ ...options, url: `amqp://127.0.0.1:${port}` }, signal).then(
    () => expect.fail('a connection was opened'),
    (error: unknown) => error as Error,
  );
}

/** Whatever it is, it names the key and the place and holds no password. */
function expectUseful(error: Error, port: number): void {
  expect(error).toMatchObject({ kind: 'initFailed' });
  expect(error.message).toMatch(
    new RegExp(`^\\[downAsync\\]\\.rabHost: no delivery through 127\\.0\\.0\\.1:${port}: .`),
  );
  expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain('swordfish');
}

// What a real server says is in test/integration/async-delivery.test.ts.
describe('connecting to what is no RabbitMQ server', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['closes at once', (socket) => socket.destroy()],
    ['says nothing and closes', (socket) => socket.on('data', () => socket.end())],
    ['speaks HTTP', (socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))],
    ['speaks another version', (socket) => socket.on('data', () => socket.end('AMQP\x00\x01\x00\x00'))],
    // A frame of type 1 on channel 0 whose length is far beyond anything.
    ['announces a huge frame', (socket) => socket.on('data', () => socket.write(Buffer.from('0100007fffffff', 'hex')))],
    // Heartbeats only.
    [
      'sends another frame than expected',
      (socket) => socket.on('data', () => socket.write(Buffer.from('08000000000000ce', 'hex'))),
    ],
    ['repeats the password', (socket) => socket.on('data', () => socket.end('swordfish'.repeat(10)))],
  ])('fails when it %s', async (_name, onConnection) => {
    const port = await serve(onConnection);
    expectUseful(await failure(port), port);
    await eventually(() => sockets.size).toBe(0);
  });

  it('ends with the signal when nothing is said at all, and leaves no connection', async () => {
    const port = await serve(() => undefined);
    const abort = new AbortController();
    const failed = failure(port, abort.signal);
    await eventually(() => sockets.size).toBe(1);
    abort.abort();
    expectUseful(await failed, port);
    await eventually(() => sockets.size).toBe(0);
  });

  it('does not connect at all when the signal has aborted before', async () => {
    const port = await serve(() => undefined);
    expectUseful(await failure(port, AbortSignal.abort()), port);
    expect(sockets.size).toBe(0);
  });
});
