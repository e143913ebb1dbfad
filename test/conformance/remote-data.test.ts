import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureEngine } from '../fixtures/engines.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf } from '../fixtures/xsf-client.js';

let files: Server;
let url: string;
let loader: RunningHost;

beforeAll(async () => {
  files = createServer((request, response) => {
    if (request.url === '/hello') response.end('fetched');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(files.address() as AddressInfo).port}`;
  loader = await startHost({
    plugin: { path: fixtureEngine('scripted') },
    data: { allow: ['127.0.0.1'] },
  });
});

afterAll(async () => {
  expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
  files.closeAllConnections();
  await new Promise((resolve) => files.close(resolve));
});

const meta = (attribute: Record<string, string>): object => ({
  name: 'input',
  attribute: { status: '3', ...attribute },
});

describe('payloads that lie elsewhere', () => {
  it.each([
    ['an unknown kind', { dataSrc: 'ftp' }, 'input invalid data source'],
    ['no address', { dataSrc: 'http' }, 'input invalid http url'],
    ['incomplete tags', { dataSrc: 's3', key: 'k' }, 'input invalid s3 tags'],
    [
      'an address that may not be asked',
      { dataSrc: 'http', url: 'http://169.254.169.254/' },
      'input invalid data source',
    ],
  ])('are refused with 10009 for %s', async (_name, attribute, err) => {
    const answer = await callXsf(loader.client, onceRequest(onceInput({ pl: [{ meta: meta(attribute) }] })));
    expect(answer.output).toMatchObject({ code: 10009, err });
  });

  it('are refused with 10009 when they cannot be fetched', async () => {
    const pl = [{ meta: meta({ dataSrc: 'http', url: `${url}/nope` }) }];
    const answer = await callXsf(loader.client, onceRequest(onceInput({ pl })));
    expect(answer.output).toMatchObject({
      code: 10009,
      err: expect.stringMatching(/^http download fail with/) as string,
    });
  });

  it('reach the engine of a one-shot call with what lies there', async () => {
    const pl = [{ meta: meta({ dataSrc: 'http', url: `${url}/hello` }), data: Buffer.from('ignored') }];
    expect(textsOf(await callXsf(loader.client, onceRequest(onceInput({ pl }))))).toEqual(['fetched']);
  });

  it('reach the engine of a stream in their turn', async () => {
    const stream = new StreamClient(loader.client);
    await stream.create();
    const remote = { name: 'input', attribute: { status: '1', dataSrc: 'http', url: `${url}/hello` } };
    const texts = textsOf(await stream.send('AIIn', { sync_id: 1, pl: [{ meta: remote }] }));
    texts.push(...textsOf(await stream.write(2, 'inline', 2)));
    while (texts.length < 2) texts.push(...textsOf(await stream.poll()));
    expect(texts).toEqual(['fetched', 'inline']);
  });
});
