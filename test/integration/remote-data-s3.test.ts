import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fixtureEngine } from '../fixtures/engines.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';

/** What we use of the server, which comes without types. */
type Bucket = new (options: {
  readonly address: string;
  readonly port: number;
  readonly directory: string;
  readonly silent: boolean;
  readonly configureBuckets: readonly { readonly name: string }[];
}) => {
  readonly httpServer: Server;
  run(): Promise<AddressInfo>;
  close(): Promise<void>;
};
const S3rver = createRequire(import.meta.url)('s3rver') as Bucket;

// The one account that the server knows. It looks the access key up but leaves V4 signatures unchecked: those are held
// against published vectors in test/unit/data, and against a server of our own in remote-data.test.ts.
const access = 'S3RVER';
const secret = 'S3RVER-but-any-will-do';
const MiB = 1024 * 1024;

let directory: string;
let s3: InstanceType<Bucket>;
let endpoint: string;
let requests = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'aiges-s3-'));
  s3 = new S3rver({ address: '127.0.0.1', port: 0, directory, silent: true, configureBuckets: [{ name: 'photos' }] });
  endpoint = `http://127.0.0.1:${(await s3.run()).port}`;
  // Nobody is to send a request on a connection that the server closes at that moment.
  s3.httpServer.keepAliveTimeout = 600_000;
  s3.httpServer.on('request', () => requests++);
});

afterAll(async () => {
  s3.httpServer.closeAllConnections();
  await s3.close();
  rmSync(directory, { recursive: true, force: true });
});

async function store(key: string, body: Buffer): Promise<void> {
  const path = key.split('/').map(encodeURIComponent).join('/');
  const { status } = await fetch(`${endpoint}/photos/${path}`, { method: 'PUT', body });
  expect(status).toBe(200);
}

const meta = (changes: Record<string, string>): { name: string; attribute: Record<string, string> } => ({
  name: 'input',
  attribute: { status: '3', dataSrc: 's3', access, secret, endpoint, bucket: 'photos', key: 'a.png', ...changes },
});

describe.each([
  ['a blocking engine', false],
  ['an asynchronous engine', true],
])('input of %s that lies in an S3 server', (_name, asyncMode) => {
  let loader: RunningHost;

  const start = async (allow: readonly string[] = ['127.0.0.1']): Promise<void> => {
    loader = await startHost({
      plugin: { path: fixtureEngine('scripted'), asyncMode },
      grpc: { maxSendBytes: 32 * MiB },
      data: { allow, maxBytes: 16 * MiB, maxTotalBytes: 20 * MiB },
    });
  };

  const fetched = (changes: Record<string, string>, params: Record<string, string> = {}): Promise<XsfAnswer> =>
    callXsf(loader.client, onceRequest(onceInput({ params, pl: [{ meta: meta(changes) }] })));

  afterEach(async () => {
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
  });

  it.each([
    ['another access key', { access: 'NOBODY' }, 403],
    ['a key that is not there', { key: 'nope' }, 404],
    ['a bucket that is not there', { bucket: 'nope' }, 404],
  ])('is refused with 10009 for %s, and nobody reads a credential', async (_case, changes, status) => {
    await start();
    const answer = await fetched(changes);
    expect(answer.output).toMatchObject({ code: 10009, err: `http download fail with status ${status}` });
    expect(answer.bytes?.includes(secret)).toBe(false);
  });

  it('is not even asked for where the list does not allow it', async () => {
    await start(['photos.example', '10.0.0.0/8']);
    const before = requests;
    expect((await fetched({})).output).toMatchObject({ code: 10009, err: 'input invalid data source' });
    expect(requests).toBe(before);
  });

  it('is refused when the object is larger than allowed', async () => {
    await start();
    await store('too-big', Buffer.alloc(16 * MiB + 1));
    const err = `http download fail with more than ${16 * MiB} bytes`;
    expect((await fetched({ key: 'too-big' })).output).toMatchObject({ code: 10009, err });
  });

  it.each(['plain', 'in/several/folders.bin', 'with blanks, ümlauts + (signs)', "quo'te*!"])(
    'reaches the engine from the key %s, without the credentials',
    async (key) => {
      await start();
      await store(key, Buffer.from(`object ${key}`));
      expect(textsOf(await fetched({ key }))).toEqual([`object ${key}`]);
      const described = textsOf(await fetched({ key }, { do: 'describe' })).join('');
      expect(described).toContain('bucket=photos');
      expect(described).not.toContain('secret=');
      expect(described).not.toContain('access=');
    },
  );

  it('reaches the engine byte for byte when it is as large as allowed', async () => {
    await start();
    const body = Buffer.alloc(16 * MiB);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32LE(Math.imul(at, 0x9e3779b1) >>> 0, at);
    await store('large', body);
    const answer = await fetched({ key: 'large' });
    expect(Buffer.compare(answer.output?.pl[0]?.data ?? Buffer.alloc(0), body)).toBe(0);
  });

  it('reaches a stream in its turn', async () => {
    await start();
    await store('packet', Buffer.from('stored'));
    const stream = new StreamClient(loader.client);
    await stream.create();
    const texts = textsOf(
      await stream.send('AIIn', { sync_id: 1, pl: [{ meta: meta({ key: 'packet', status: '1' }) }] }),
    );
    let answer = await stream.write(2, 'inline', 2);
    for (;;) {
      texts.push(...textsOf(answer));
      if (answer.output?.status === 2) break;
      answer = await stream.poll();
    }
    expect(texts).toEqual(['stored', 'inline']);
  });

  it('fails the call when the server dies in the middle of it', async () => {
    await start();
    await store('torn', Buffer.alloc(8 * MiB));
    const asked = once(s3.httpServer, 'request');
    const answer = fetched({ key: 'torn' });
    await asked;
    s3.httpServer.closeAllConnections();
    expect((await answer).output).toMatchObject({
      code: 10009,
      err: expect.stringMatching(/^http download fail with E?[A-Z_]+$/) as string,
    });
  });
});
