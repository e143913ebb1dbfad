import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGrpcJsServer } from '../../../../src/transports/grpc/grpcjs.js';
import type { GrpcServer } from '../../../../src/transports/grpc/server.js';
import { serveToolbox, type ToolboxOptions } from '../../../../src/transports/xsf/toolbox.js';
import { CommandRequest, CommandResponse } from '../../../fixtures/protocol.js';
import { RawClient } from '../../../fixtures/raw-client.js';

let server: GrpcServer;
let client: RawClient;
let ready: boolean;
let metrics: ToolboxOptions['metrics'];

beforeEach(async () => {
  ready = true;
  metrics = null;
  server = createGrpcJsServer({ maxReceiveBytes: 1e6, maxSendBytes: 1e6 });
  serveToolbox(server, {
    ready: () => ready,
    get metrics() {
      return metrics;
    },
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  client = new RawClient(port);
});

afterEach(async () => {
  client.close();
  await server.drain(AbortSignal.abort());
});

async function ask(
  query: string,
  headers = '{"method":"GET"}',
): Promise<{ code: number; details: string; body: string }> {
  const message = Buffer.from(CommandRequest.encode({ query, headers }).finish());
  const { code, details, bytes } = await client.unary('/utils.ToolBox/cmdserver', message);
  const response = bytes === null ? null : (CommandResponse.decode(bytes) as unknown as { body: string });
  return { code, details, body: response?.body ?? '' };
}

const command = (cmd: string): string => JSON.stringify({ cmd });

describe('/utils.ToolBox/cmdserver', () => {
  it.each([
    ['another method', command('health'), '{"method":"POST"}', "don't support the method"],
    ['no method', command('health'), '{}', "don't support the method"],
    ['headers that are no JSON', command('health'), 'x', 'headers: expected a JSON object of strings but received "x"'],
    [
      'a query that is no JSON object',
      '[1]',
      '{"method":"get"}',
      'query: expected a JSON object of strings but received "[1]"',
    ],
  ])('answers %s with an error', async (_name, query, headers, details) => {
    expect(await ask(query, headers)).toMatchObject({ code: status.UNKNOWN, details });
  });

  it('answers bytes that are no request with INTERNAL', async () => {
    expect((await client.unary('/utils.ToolBox/cmdserver', Buffer.from([0x0a, 0x7f]))).code).toBe(status.INTERNAL);
  });

  it('answers an unknown command with the text that tools know', async () => {
    expect((await ask(command('dance'))).body).toBe("don't support the cmd");
    expect((await ask(command('query'))).body).toBe('query method not defined');
  });

  it('is healthy, in the spelling that checkers know, while calls are taken', async () => {
    expect((await ask(command('health'))).body).toBe('health staus:\n');
    ready = false;
    expect((await ask(command('health'))).body).toBe('report error');
  });

  it('answers a reading of the metrics that fails with an error', async () => {
    metrics = () => Promise.reject(new Error('no counters'));
    expect((await ask(command('metrics'))).code).not.toBe(status.OK);
  });

  it('says how to turn metrics on while they are off', async () => {
    expect((await ask(command('metrics'))).body).toBe(
      '# metrics are off; write able = 1 into [metrics] to turn them on\n',
    );
  });

  it.each([
    ['{"cmd":"metrics"}', false],
    ['{"cmd":"metrics","timeUnit":"ns"}', false],
    ['{"cmd":"metrics","timeUnit":"ms"}', true],
  ])('answers %s with the metrics', async (query, expected) => {
    metrics = ({ milliseconds }) => Promise.resolve(`milliseconds ${String(milliseconds)}\n`);
    expect((await ask(query)).body).toBe(`milliseconds ${String(expected)}\n`);
  });

  it('tells process, user and age', async () => {
    expect((await ask(command('status'))).body).toMatch(
      new RegExp(`^pid: ${process.pid}\\nuser: .+\\nuptime: \\d+s\\n$`),
    );
  });

  it('tells the number of a user without a name', async () => {
    vi.spyOn(os, 'userInfo').mockImplementation(() => {
      throw new Error('A system error occurred: uv_os_get_passwd returned ENOENT (no such file or directory)');
    });
    syncBuiltinESMExports();
    try {
      expect((await ask(command('status'))).body).toContain(`\nuser: ${String(process.getuid?.())}\n`);
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
  });
});
