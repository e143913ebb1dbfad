import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, protoPath, service as healthService } from 'grpc-health-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceptGrpcJsServices } from '../../../../src/transports/grpc/adapter.js';
import type { GrpcServer } from '../../../../src/transports/grpc/server.js';
import { grpcServerNames, grpcServers } from '../../../fixtures/grpc-servers.js';
import { RawClient } from '../../../fixtures/raw-client.js';

const proto = fileURLToPath(new URL('../../../../proto/xsf.proto', import.meta.url));

const { Check, Watch } = healthService as unknown as Record<
  'Check' | 'Watch',
  { path: string; requestSerialize(value: object): Buffer; responseDeserialize(bytes: Buffer): object }
>;

describe.each(grpcServerNames)('services attached to %s through the adapter', (name) => {
  let server: GrpcServer;
  let closing: AbortController;
  let health: HealthImplementation;
  let client: RawClient;

  beforeEach(async () => {
    server = grpcServers[name]({ maxReceiveBytes: 1e6, maxSendBytes: 1e6 });
    closing = new AbortController();
    const attach = acceptGrpcJsServices(server, closing.signal);
    health = new HealthImplementation({ '': 'SERVING' });
    health.addToServer(attach);
    new ReflectionService(loadSync([proto, protoPath])).addToServer(attach);
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    client = new RawClient(port);
  });

  afterEach(async () => {
    client.close();
    await server.drain(AbortSignal.abort());
  });

  it('answers a health check of an unknown service with NOT_FOUND', async () => {
    const answer = await client.unary(Check.path, Check.requestSerialize({ service: 'nope' }));
    expect(answer.code).toBe(status.NOT_FOUND);
  });

  it('answers a health check', async () => {
    const answer = await client.unary(Check.path, Check.requestSerialize({ service: '' }));
    expect(Check.responseDeserialize(answer.bytes ?? Buffer.alloc(0))).toMatchObject({ status: 'SERVING' });
  });

  it('reports changes to who watches, and ends the watch when the server closes', async () => {
    const watch = client.client.makeServerStreamRequest(
      Watch.path,
      (value: object) => Watch.requestSerialize(value),
      (bytes: Buffer) => Watch.responseDeserialize(bytes),
      { service: '' },
    );
    const seen: unknown[] = [];
    watch.on('error', () => undefined);
    const ended = new Promise((resolve) => watch.on('status', resolve));
    await new Promise<void>((resolve) => {
      watch.on('data', (update: object) => {
        seen.push(update);
        if (seen.length === 1) health.setStatus('', 'NOT_SERVING');
        else resolve();
      });
    });
    expect(seen).toMatchObject([{ status: 'SERVING' }, { status: 'NOT_SERVING' }]);
    closing.abort();
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('lists the services by reflection', async () => {
    const identity = (bytes: Buffer): Buffer => bytes;
    const path = '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo';
    const call = client.client.makeBidiStreamRequest(path, identity, identity);
    const answer = new Promise<Buffer>((resolve) => call.on('data', resolve));
    const ended = new Promise((resolve) => call.on('status', resolve));
    // ServerReflectionRequest{list_services: "*"}
    call.write(Buffer.from([0x3a, 1, 0x2a]));
    const names = (await answer).toString('latin1');
    expect(names).toContain('utils.XsfCall');
    expect(names).toContain('grpc.health.v1.Health');
    call.end();
    expect(await ended).toMatchObject({ code: status.OK });
  });
});
