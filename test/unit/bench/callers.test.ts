import { createServer as createHttpServer } from 'node:http';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openCaller, type Protocol } from '../../../bench/callers.js';
import { closedPort } from '../../fixtures/closed-port.js';

type Answer = (stream: ServerHttp2Stream, body: Buffer) => void;

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function listen(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

/** A server that reads a request and does what a test wants. */
function serve(answer: Answer): Promise<number> {
  const server = createServer();
  server.on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    stream.on('end', () => {
      answer(stream, Buffer.concat(chunks));
    });
  });
  return listen(server);
}

async function callOnce(protocol: Protocol, port: number): Promise<number> {
  const caller = openCaller({ protocol, port, path: '/', size: 32 });
  try {
    return await caller.call();
  } finally {
    caller.close();
  }
}

function reply(stream: ServerHttp2Stream, body: Buffer, trailers: Record<string, string>): void {
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    stream.sendTrailers(trailers);
  });
  stream.end(body);
}

describe('a caller', () => {
  it('fails when nobody listens', async () => {
    const port = await closedPort();
    await expect(callOnce('echo', port)).rejects.toThrow(/ECONNREFUSED/);
    await expect(callOnce('json', port)).rejects.toThrow(/ECONNREFUSED/);
  });

  it.each<[string, Protocol, Answer, RegExp]>([
    [
      'a status that is not 200',
      'echo',
      (stream) => {
        stream.respond({ ':status': 503 }, { endStream: true });
      },
      /503/,
    ],
    ['fewer bytes', 'echo', (stream, body) => void stream.end(body.subarray(1)), /325 bytes came back for 326/],
    [
      'a reset',
      'echo',
      (stream) => {
        stream.close(2);
      },
      /./,
    ],
    [
      'a lost connection',
      'echo',
      (stream) => {
        stream.session?.destroy();
      },
      /./,
    ],
    [
      'an error in the trailers',
      'grpc-echo',
      (stream, body) => {
        reply(stream, body, { 'grpc-status': '8', 'grpc-message': 'too large' });
      },
      /gRPC status 8: too large/,
    ],
    [
      'an error without a message',
      'grpc-echo',
      (stream) => {
        stream.respond({ ':status': 200, 'grpc-status': '12', 'grpc-message': 'no' }, { endStream: true });
      },
      /gRPC status 12: no/,
    ],
    ['no status at all', 'grpc-echo', (stream, body) => void stream.end(body), /gRPC status missing/],
    [
      'an answer that is no message of the protocol',
      'xsf',
      (stream, body) => {
        reply(stream, body, { 'grpc-status': '0' });
      },
      /./,
    ],
  ])('fails on %s', async (_name, protocol, answer, fault) => {
    const port = await serve(answer);
    await expect(callOnce(protocol, port)).rejects.toThrow(fault);
  });

  it('fails on an HTTP answer that is not the right one', async () => {
    const port = await listen(
      createHttpServer((request, response) => {
        request.resume();
        response.end('{"header":{"code":10110,"message":"busy"}}');
      }),
    );
    await expect(callOnce('json', port)).rejects.toThrow('code 10110: busy');
  });

  it('tells how many bytes a right answer had', async () => {
    const port = await serve((stream, body) => {
      reply(stream, body, { 'grpc-status': '0' });
    });
    expect(await callOnce('echo', port)).toBe(326);
    expect(await callOnce('grpc-echo', port)).toBe(326);
  });
});
