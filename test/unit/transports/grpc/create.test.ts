import { afterEach, describe, expect, it } from 'vitest';
import { createGrpcServer, type GrpcServerOptions } from '../../../../src/transports/grpc/create.js';
import type { GrpcServer } from '../../../../src/transports/grpc/server.js';
import { loadWireAddon, type WireAddon } from '../../../../src/transports/grpc/wire-addon.js';
import { wireOptions } from '../../../fixtures/grpc-servers.js';
import { framed, Http2Client } from '../../../fixtures/http2-client.js';

const options: GrpcServerOptions = { server: 'wire', maxReceiveBytes: 1000, maxSendBytes: 1000, wire: wireOptions() };
let server: GrpcServer | null = null;

afterEach(async () => {
  await server?.drain(AbortSignal.abort());
});

/** @returns what was warned about, after the server has answered a call */
async function serve(chosen: Partial<GrpcServerOptions>, loadAddon?: () => WireAddon): Promise<string[]> {
  const warnings: string[] = [];
  server = createGrpcServer({ ...options, ...chosen }, (text) => warnings.push(text), loadAddon);
  server.unary('/a.B/c', ({ message }) => Promise.resolve({ chunks: [message.bytes] }));
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const client = new Http2Client(port);
  expect(await client.call('/a.B/c', framed(Buffer.from('hi')))).toMatchObject({ status: 0 });
  client.close();
  return warnings;
}

describe('the choice of a gRPC server', () => {
  it('falls back with one warning when the addon cannot be loaded', async () => {
    const load = (): WireAddon => {
      throw new Error('no such file');
    };
    expect(await serve({}, load)).toEqual([
      '[grpc].server = "wire" cannot run here, "grpc-js" takes its place: no such file',
    ]);
  });

  it('falls back with one warning when the addon finds no nghttp2 that it can use', async () => {
    const load = (): WireAddon => ({ ...loadWireAddon(), wireUnavailable: () => 'too old' });
    expect(await serve({}, load)).toEqual([
      '[grpc].server = "wire" cannot run here, "grpc-js" takes its place: too old',
    ]);
  });

  it.each(['wire', 'grpc-js'] as const)('is %s when that is asked for', async (name) => {
    expect(await serve({ server: name })).toEqual([]);
    expect(server !== null && server.stats() !== null).toBe(name === 'wire');
  });
});
