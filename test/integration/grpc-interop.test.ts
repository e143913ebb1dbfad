import { type ChildProcess, execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GrpcServer } from '../../src/transports/grpc/server.js';
import { grpcServerNames, grpcServers } from '../fixtures/grpc-servers.js';
import { framed } from '../fixtures/http2-client.js';
import { serveInterop } from '../fixtures/interop-service.js';
import { RawClient } from '../fixtures/raw-client.js';

// Clients that are not ours against both servers, with the official interoperability cases.

const run = promisify(execFile);
// Debian's python3-grpcio belongs to Debian's Python.
const python = '/usr/bin/python3';
const pythonScript = fileURLToPath(new URL('../fixtures/interop_client.py', import.meta.url));
const hasPython = spawnSync(python, ['-c', 'import grpc']).status === 0;
const hasCurl = /\bHTTP2\b/.test(String(spawnSync('curl', ['--version']).stdout));

type Stream = ClientDuplexStream<Buffer, Buffer>;
interface StreamEnd {
  readonly code: number;
  readonly details: string;
  readonly lengths: readonly number[];
}

const identity = (bytes: Buffer): Buffer => bytes;

function wish(what: object, payload = 0): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(what)}\n`), Buffer.alloc(payload)]);
}

function endOf(stream: Stream): Promise<StreamEnd> {
  const lengths: number[] = [];
  stream.on('data', (bytes: Buffer) => lengths.push(bytes.length));
  stream.on('error', () => undefined);
  return new Promise((resolve) => {
    stream.on('status', ({ code, details }) => {
      resolve({ code, details, lengths });
    });
  });
}

describe.each(grpcServerNames)('the %s server answers', (name) => {
  let server: GrpcServer;
  let client: RawClient;

  beforeEach(async () => {
    server = grpcServers[name]({ maxReceiveBytes: 4 << 20, maxSendBytes: 4 << 20 });
    serveInterop(server);
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    client = new RawClient(port);
  });

  afterEach(async () => {
    client.close();
    await server.drain(AbortSignal.abort());
  });

  const open = (method: string): Stream => client.client.makeBidiStreamRequest(method, identity, identity);

  describe('the client of grpc-js:', () => {
    it('unimplemented_method and unimplemented_service', async () => {
      for (const path of ['/interop.Test/nothing', '/interop.Nothing/empty']) {
        expect((await client.unary(path, Buffer.alloc(0))).code).toBe(status.UNIMPLEMENTED);
      }
    });

    it('status_code_and_message', async () => {
      const failing = wish({ code: 2, message: 'test status message' });
      const failed = { code: 2, details: 'test status message' };
      expect(await client.unary('/interop.Test/unary', failing)).toMatchObject(failed);
      const stream = open('/interop.Test/duplex');
      const ended = endOf(stream);
      stream.end(failing);
      expect(await ended).toMatchObject(failed);
    });

    it('special_status_message', async () => {
      const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
      const answer = await client.unary('/interop.Test/unary', wish({ code: 2, message }));
      expect(answer).toMatchObject({ code: 2, details: message });
    });

    it('timeout_on_sleeping_server', async () => {
      const answer = await client.unary('/interop.Test/sleep', Buffer.alloc(0), { deadlineMs: 50 });
      expect(answer.code).toBe(status.DEADLINE_EXCEEDED);
    });

    it('cancel_after_begin', async () => {
      const stream = open('/interop.Test/upload');
      const ended = endOf(stream);
      stream.cancel();
      expect(await ended).toMatchObject({ code: status.CANCELLED });
    });

    it('cancel_after_first_response', async () => {
      const stream = open('/interop.Test/duplex');
      const ended = endOf(stream);
      stream.write(wish({ sizes: [31415] }, 27182));
      await new Promise((resolve) => stream.once('data', resolve));
      stream.cancel();
      expect(await ended).toMatchObject({ code: status.CANCELLED });
    });

    it('empty_unary', async () => {
      expect(await client.unary('/interop.Test/empty', Buffer.alloc(0))).toMatchObject({
        code: 0,
        bytes: Buffer.alloc(0),
      });
    });

    it('large_unary', async () => {
      const { code, bytes } = await client.unary('/interop.Test/unary', wish({ sizes: [314159] }, 271828));
      expect({ code, length: bytes?.length }).toEqual({ code: 0, length: 314159 });
    });

    it('client_streaming', async () => {
      const stream = open('/interop.Test/upload');
      const answer = new Promise<Buffer>((resolve) => stream.once('data', resolve));
      const ended = endOf(stream);
      for (const size of [27182, 8, 1828, 45904]) stream.write(Buffer.alloc(size));
      stream.end();
      expect((await answer).toString()).toBe('74922');
      expect(await ended).toMatchObject({ code: 0 });
    });

    it('server_streaming', async () => {
      const sizes = [31415, 9, 2653, 58979];
      const stream = open('/interop.Test/duplex');
      const ended = endOf(stream);
      stream.end(wish({ sizes }));
      expect(await ended).toMatchObject({ code: 0, lengths: sizes });
    });

    it('ping_pong', async () => {
      const sizes = [31415, 9, 2653, 58979];
      const stream = open('/interop.Test/duplex');
      const ended = endOf(stream);
      for (const size of sizes) {
        const answer = new Promise<Buffer>((resolve) => stream.once('data', resolve));
        stream.write(wish({ sizes: [size] }, 27182));
        expect(await answer).toHaveLength(size);
      }
      stream.end();
      expect(await ended).toMatchObject({ code: 0, lengths: sizes });
    });

    it('empty_stream', async () => {
      const stream = open('/interop.Test/duplex');
      const ended = endOf(stream);
      stream.end();
      expect(await ended).toMatchObject({ code: 0, lengths: [] });
    });

    it('custom_metadata', async () => {
      const sent = new Metadata();
      sent.set('x-echo-initial', 'initial value');
      sent.set('x-echo-trailing-bin', Buffer.from([0xab, 0xab, 0]));
      const seen = await new Promise<{ head: Metadata; tail: Metadata }>((resolve) => {
        let head = new Metadata();
        const request = wish({ sizes: [1] });
        const call = client.client.makeUnaryRequest(
          '/interop.Test/unary',
          identity,
          identity,
          request,
          sent,
          () => undefined,
        );
        call.on('metadata', (metadata: Metadata) => (head = metadata));
        call.on('status', ({ metadata }) => {
          resolve({ head, tail: metadata });
        });
      });
      expect(seen.head.get('x-echo-initial')).toEqual(['initial value']);
      expect(seen.tail.get('x-echo-trailing-bin')).toEqual([Buffer.from([0xab, 0xab, 0])]);
    });
  });

  it.skipIf(!hasPython)('the client of grpcio', async () => {
    const { stdout, stderr } = await run(python, [pythonScript, String(client.port)], { timeout: 50_000 });
    const cases = readFileSync(pythonScript, 'utf8').match(/^def \w+(?=\(channel\))/gm) ?? [];
    expect(stdout.trim().split('\n'), stderr).toEqual(cases.map((line) => line.replace('def ', 'ok ')));
  });

  it.skipIf(!hasCurl)('curl with prior knowledge of HTTP/2', async () => {
    const url = `http://127.0.0.1:${client.port}/interop.Test/unary`;
    const options = ['-s', '--http2-prior-knowledge', '-H', 'content-type: application/grpc', '-H', 'te: trailers'];
    const running = run('curl', [...options, '--data-binary', '@-', '-D', '-', url], {
      encoding: 'buffer',
      timeout: 50_000,
    });
    (running as unknown as { child: ChildProcess }).child.stdin?.end(framed(wish({ sizes: [100_000] })));
    // Header, body and trailer come one after the other.
    const { stdout } = await running;
    expect(stdout.includes(framed(Buffer.alloc(100_000)))).toBe(true);
    expect(stdout.toString('latin1')).toMatch(/^HTTP\/2 200[^]*grpc-status: 0/);
  });
});
