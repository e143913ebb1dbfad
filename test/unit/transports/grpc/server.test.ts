import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type GrpcCall,
  GrpcError,
  type GrpcServer,
  GrpcStatus,
  type Reply,
} from '../../../../src/transports/grpc/server.js';
import { gate } from '../../../fixtures/fake-runtime.js';
import { grpcServerNames, grpcServers } from '../../../fixtures/grpc-servers.js';
import { RawClient } from '../../../fixtures/raw-client.js';

describe.each(grpcServerNames)('the gRPC server on %s', (name) => {
  const create = (): GrpcServer => grpcServers[name]({ maxReceiveBytes: 1000, maxSendBytes: 1000 });
  let server: GrpcServer;
  let client: RawClient | null = null;

  beforeEach(() => {
    server = create();
  });

  afterEach(async () => {
    client?.close();
    client = null;
    await server.drain(AbortSignal.abort());
  });

  async function connect(): Promise<RawClient> {
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    client = new RawClient(port);
    return client;
  }

  it('says with a system code that an address cannot be had', async () => {
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    const second = create();
    await expect(second.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.drain(AbortSignal.abort());
  });

  describe('on a Unix socket', () => {
    let folder: string;
    let path: string;

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'aiges-unix-'));
      path = join(folder, 'grpc.sock');
    });

    afterEach(() => {
      rmSync(folder, { recursive: true });
    });

    it('says that there is no such folder', async () => {
      const missing = join(folder, 'missing', 'grpc.sock');
      await expect(server.listenUnix(missing)).rejects.toMatchObject({ code: name === 'wire' ? 'ENOENT' : 'EACCES' });
    });

    it('leaves a file alone that is no socket', async () => {
      writeFileSync(path, 'precious');
      await expect(server.listenUnix(path)).rejects.toMatchObject({ code: 'EADDRINUSE' });
      expect(readFileSync(path, 'utf8')).toBe('precious');
    });

    it('leaves a socket alone that somebody listens on', async () => {
      server.unary('/a.B/c', () => Promise.resolve({ chunks: [Buffer.from('first')] }));
      await server.listenUnix(path);
      const second = create();
      await expect(second.listenUnix(path)).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await second.drain(AbortSignal.abort());
      client = new RawClient(0, `unix:${path}`);
      expect((await client.unary('/a.B/c', Buffer.alloc(0))).bytes?.toString()).toBe('first');
    });

    it('takes calls besides those over TCP, and removes the file at the end', async () => {
      const ends: unknown[] = [];
      server.unary('/a.B/c', ({ message, peer, local }) => {
        ends.push(peer, local);
        return Promise.resolve({ chunks: [message.bytes] });
      });
      const tcp = await connect();
      await server.listenUnix(path);
      const local = new RawClient(0, `unix:${path}`);
      expect((await local.unary('/a.B/c', Buffer.from('one'))).bytes?.toString()).toBe('one');
      expect(ends).toEqual([null, null]);
      expect((await tcp.unary('/a.B/c', Buffer.from('two'))).bytes?.toString()).toBe('two');
      local.close();
      tcp.close();
      await server.drain(AbortSignal.abort());
      expect(existsSync(path)).toBe(false);
    });

    it('replaces a file that a dead process left', async () => {
      const dead = createServer();
      const before = join(folder, 'before');
      await new Promise<void>((resolve) => dead.listen(before, resolve));
      // Closing would remove it.
      renameSync(before, path);
      await new Promise((resolve) => dead.close(resolve));
      server.unary('/a.B/c', ({ message }) => Promise.resolve({ chunks: [message.bytes] }));
      await server.listenUnix(path);
      client = new RawClient(0, `unix:${path}`);
      expect((await client.unary('/a.B/c', Buffer.from('one'))).bytes?.toString()).toBe('one');
    });
  });

  it('answers an unknown method with UNIMPLEMENTED', async () => {
    expect((await (await connect()).unary('/a.B/c', Buffer.alloc(0))).code).toBe(status.UNIMPLEMENTED);
  });

  it('hides what a handler threw that is no GrpcError', async () => {
    server.unary('/a.B/c', () => Promise.reject(new Error('secret')));
    expect(await (await connect()).unary('/a.B/c', Buffer.alloc(0))).toMatchObject({
      code: status.UNKNOWN,
      details: 'internal error',
    });
  });

  it('takes a handler that throws at once like one that rejects', async () => {
    server.unary('/a.B/c', () => {
      throw new GrpcError(GrpcStatus.invalidArgument, 'no');
    });
    expect(await (await connect()).unary('/a.B/c', Buffer.alloc(0))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'no',
    });
  });

  it('sends status, message and metadata of a GrpcError, whatever characters are in it', async () => {
    const metadata = new Map([['retry-in', ['5']]]);
    server.unary('/a.B/c', () => Promise.reject(new GrpcError(GrpcStatus.internal, 'half \ud800 % 错误\n', metadata)));
    const answer = await (await connect()).unary('/a.B/c', Buffer.alloc(0));
    expect(answer).toMatchObject({ code: status.INTERNAL, details: 'half \ufffd % 错误\n' });
    expect(answer.trailers?.get('retry-in')).toEqual(['5']);
  });

  it('refuses messages beyond the limits with RESOURCE_EXHAUSTED', async () => {
    server.unary('/a.B/c', (call) => Promise.resolve({ chunks: [call.message.bytes, Buffer.alloc(500)] }));
    const connected = await connect();
    expect((await connected.unary('/a.B/c', Buffer.alloc(1001))).code).toBe(status.RESOURCE_EXHAUSTED);
    expect((await connected.unary('/a.B/c', Buffer.alloc(501))).code).toBe(status.RESOURCE_EXHAUSTED);
    expect((await connected.unary('/a.B/c', Buffer.alloc(500))).code).toBe(status.OK);
  });

  it('joins the chunks of a reply in order and releases it', async () => {
    let released = 0;
    const chunks = ['a', '', 'bc'].map((text) => Buffer.from(text));
    server.unary('/a.B/c', () => Promise.resolve({ chunks, release: () => released++ }));
    const answer = await (await connect()).unary('/a.B/c', Buffer.alloc(0));
    expect(answer.bytes?.toString()).toBe('abc');
    expect(released).toBe(1);
  });

  it('knows both ends of the connection, and carries metadata both ways', async () => {
    const seen = gate<GrpcCall>();
    server.unary('/a.B/c', (call) => {
      seen.open(call);
      call.sendMetadata(new Map([['head', ['h']]]));
      call.setTrailers(new Map<string, (string | Uint8Array)[]>([['tail-bin', [Buffer.from([1, 2])]]]));
      return Promise.resolve({ chunks: [] });
    });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    client = new RawClient(port);
    const answer = await client.unary('/a.B/c', Buffer.alloc(0));
    const call = await seen.promise;
    expect(call.local).toEqual({ host: '127.0.0.1', port });
    expect(call.peer?.host).toBe('127.0.0.1');
    expect(call.metadata.get('user-agent')?.[0]).toMatch(/^grpc-node-js/);
    expect(answer.headers?.get('head')).toEqual(['h']);
    expect(answer.trailers?.get('tail-bin')).toEqual([Buffer.from([1, 2])]);
  });

  it.each(['cancels', 'runs out of time'])('aborts the signal when the client %s', async (how) => {
    const started = gate();
    const aborted = gate();
    server.unary('/a.B/c', (call) => {
      call.signal.addEventListener('abort', () => {
        aborted.open();
      });
      started.open();
      return new Promise(() => undefined);
    });
    const cancel = new AbortController();
    const connected = await connect();
    const answer = connected.unary('/a.B/c', Buffer.alloc(0), {
      signal: cancel.signal,
      // Long enough for the call to reach its handler, whatever holds it up.
      ...(how === 'cancels' ? {} : { deadlineMs: 5_000 }),
    });
    await started.promise;
    if (how === 'cancels') cancel.abort();
    expect((await answer).code).toBe(how === 'cancels' ? status.CANCELLED : status.DEADLINE_EXCEEDED);
    await aborted.promise;
  });

  it('tells a listener that the client has cancelled, also one that comes late', async () => {
    const seen = gate<GrpcCall>();
    const early = gate();
    server.unary('/a.B/c', (call) => {
      call.onCancel(early.open);
      seen.open(call);
      return new Promise(() => undefined);
    });
    const cancel = new AbortController();
    const answer = (await connect()).unary('/a.B/c', Buffer.alloc(0), { signal: cancel.signal });
    const call = await seen.promise;
    cancel.abort();
    await early.promise;
    const late = gate();
    call.onCancel(late.open);
    await late.promise;
    expect((await answer).code).toBe(status.CANCELLED);
  });

  it('streams both ways', async () => {
    server.stream('/a.B/c', async function* (stream): AsyncIterable<Reply> {
      for await (const message of stream.messages) yield { chunks: [Buffer.from('>'), message.bytes] };
    });
    const identity = (bytes: Buffer): Buffer => bytes;
    const connected = await connect();
    const call = connected.client.makeBidiStreamRequest('/a.B/c', identity, identity);
    const got: string[] = [];
    call.on('data', (bytes: Buffer) => got.push(bytes.toString()));
    const ended = new Promise((resolve) => call.on('status', resolve));
    call.write(Buffer.from('a'));
    call.write(Buffer.from('b'));
    call.end();
    expect(await ended).toMatchObject({ code: status.OK });
    expect(got).toEqual(['>a', '>b']);
  });

  it('ends a stream with the status that its handler threw', async () => {
    server.stream('/a.B/c', (stream) => {
      return (async function* (): AsyncIterable<Reply> {
        for await (const message of stream.messages) {
          yield { chunks: [message.bytes] };
          throw new GrpcError(GrpcStatus.resourceExhausted, 'enough');
        }
      })();
    });
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = (await connect()).client.makeBidiStreamRequest('/a.B/c', identity, identity);
    call.on('data', () => undefined);
    call.on('error', () => undefined);
    const ended = new Promise((resolve) => call.on('status', resolve));
    call.write(Buffer.from('a'));
    expect(await ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: 'enough' });
  });

  it('lets running calls finish when it drains, and cuts them when the time is up', async () => {
    const hold = gate();
    const started = gate();
    server.unary('/a.B/short', async () => {
      started.open();
      await hold.promise;
      return { chunks: [Buffer.from('done')] };
    });
    const answer = (await connect()).unary('/a.B/short', Buffer.alloc(0));
    await started.promise;
    const drained = server.drain(new AbortController().signal);
    hold.open();
    expect((await answer).bytes?.toString()).toBe('done');
    await drained;
  });

  it('cuts calls that outlive the drain', async () => {
    const started = gate();
    server.unary('/a.B/long', () => {
      started.open();
      return new Promise(() => undefined);
    });
    const answer = (await connect()).unary('/a.B/long', Buffer.alloc(0));
    await started.promise;
    await server.drain(AbortSignal.timeout(1));
    expect((await answer).code).not.toBe(status.OK);
  });
});
