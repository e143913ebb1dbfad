import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureEngine } from '../fixtures/engines.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { grpcServerNames } from '../fixtures/grpc-servers.js';

// buf curl, a client on connect-go, against a whole loader over HTTP/2 with prior knowledge. It lists what reflection
// offers, but takes the schema of a call from files: it cannot use the descriptors that @grpc/reflection 1.0.4 sends.

const run = promisify(execFile);
const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const buf = path('node_modules/.bin/buf');

describe.skipIf(!existsSync(buf)).each(grpcServerNames)('buf curl and the %s server', (server) => {
  let loader: RunningHost;

  beforeAll(async () => {
    loader = await startHost({ plugin: { path: fixtureEngine('scripted') }, grpc: { server } });
  });

  afterAll(async () => {
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
  });

  async function curl(where: string, ...options: string[]): Promise<string> {
    const url = `http://127.0.0.1:${loader.client.port}${where}`;
    const { stdout } = await run(buf, ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...options, url], {
      timeout: 50_000,
    });
    return stdout.trim();
  }

  it('lists the services by reflection', async () => {
    expect((await curl('', '--list-services')).split('\n')).toEqual([
      'grpc.health.v1.Health',
      'utils.ToolBox',
      'utils.XsfCall',
    ]);
  });

  it('asks for the health', async () => {
    const schema = path('node_modules/grpc-health-check/proto');
    const answer = await curl('/grpc.health.v1.Health/Check', '--schema', schema, '-d', '{"service":"utils.XsfCall"}');
    expect(JSON.parse(answer)).toEqual({ status: 'SERVING' });
  });

  it('calls XsfCall', async () => {
    const answer = await curl('/utils.XsfCall/call', '--schema', path('proto'), '-d', '{"op":"nonsense"}');
    const { data } = JSON.parse(answer) as { data: readonly { data: string }[] };
    expect(Buffer.from(data[0]?.data ?? '', 'base64').toString()).toContain('invalid service operation');
  });
});
