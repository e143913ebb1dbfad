import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../src/core/errors.js';
import { DataStatus, DataType, type Frame } from '../../src/core/frame.js';
import { createDataSource, type DataSource, type DataSourceOptions } from '../../src/data/data-source.js';
import type { Lookup } from '../../src/data/guard.js';
import { closedPort } from '../fixtures/closed-port.js';

const never = new AbortController().signal;
const opened: { close(): unknown }[] = [];

afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

/** Starts a server on a free loopback port, which ends with the test. */
async function listen(server: Server | TcpServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
  });
  opened.push({
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`;
}

function dataSource(options: Partial<DataSourceOptions> = {}, lookup?: Lookup): DataSource {
  const source = createDataSource({ allow: ['127.0.0.1'], ...options }, lookup);
  opened.push(source);
  return source;
}

function frame(desc: Record<string, string>, key = 'img'): Frame {
  return {
    key,
    data: Buffer.from('inline'),
    type: DataType.image,
    status: DataStatus.once,
    desc: new Map(Object.entries(desc)),
  };
}

function httpFrame(url: string): Frame {
  return frame({ dataSrc: 'http', url });
}

async function fetched(source: DataSource, ...urls: readonly string[]): Promise<readonly string[]> {
  const frames = await source.resolve(urls.map(httpFrame), never);
  return frames.map(({ data }) => Buffer.from(data).toString());
}

async function failure(source: DataSource, item: Frame, signal = never): Promise<AigesError> {
  const error = await source.resolve([item], signal).catch((caught: unknown) => caught);
  if (error instanceof AigesError) return error;
  throw new Error('did not fail', { cause: error });
}

/** The name that the tests' resolver knows. */
const named: Lookup = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);

/** A self-signed certificate for files.example, made for these tests. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQXfplyUmAg7l1k0t
uthzLszBjH6aH/cMMryckLjRz4KhRANCAATLFW5rI9YVUqwN7L9UMMTw2zyH11ZE
Bf+BjYGLmpaFWPeWzT/JJpG/gMuKYwA8qegrrPD2hqeIKNTgrX8VdOA9
-----END PRIVATE KEY-----
`;
const cert = `-----BEGIN CERTIFICATE-----
MIIBoDCCAUegAwIBAgIUVxl0Nb/xYnSurwWNgX+DomNXwWUwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNZmlsZXMuZXhhbXBsZTAgFw0yNjExMjEwOTA2MTlaGA8yMTI2
MTAyODA5MDYxOVowGDEWMBQGA1UEAwwNZmlsZXMuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABMsVbmsj1hVSrA3sv1QwxPDbPIfXVkQF/4GNgYualoVY
95bNP8kmkb+Ay4pjADyp6Cus8PaGp4go1OCtfxV04D2jbTBrMB0GA1UdDgQWBBRt
aLKRgfcpTxHcxhaq6Su73pyBujAfBgNVHSMEGDAWgBRtaLKRgfcpTxHcxhaq6Su7
3pyBujAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDWZpbGVzLmV4YW1wbGUw
CgYIKoZIzj0EAwIDRwAwRAIgdsMjz4YyBqY/UN/HysnP5mYxN5/zqChRCiNa2k4Q
rKsCIEqlg02my8f6AaubuQK19ZPO3nUY4HVgXaWXvQYUB3Qj
-----END CERTIFICATE-----
`;

describe('data over http', () => {
  it('replaces the bytes of remote frames only, in order, and drops credentials from their description', async () => {
    const waiting: (() => void)[] = [];
    const base = await serve((request, response) => {
      // Answered in reverse order, once all are there.
      waiting.unshift(() => response.end(`body of ${String(request.url)}`));
      if (waiting.length === 3) for (const answer of waiting) answer();
    });
    const inline = frame({ access: 'kept' }, 'inline');
    const remote = ['a', 'b', 'c'].map((key) =>
      frame({ dataSrc: 'http', url: `${base}/${key}?q`, access: 'x', secret: 'y', encoding: 'png' }, key),
    );
    const [a, b, c, d] = remote;
    if (a === undefined || b === undefined || c === undefined || d !== undefined) throw new Error('three frames');
    const frames = await dataSource().resolve([a, inline, b, c], never);
    expect(frames.map(({ key, data }) => [key, Buffer.from(data).toString()])).toEqual([
      ['a', 'body of /a?q'],
      ['inline', 'inline'],
      ['b', 'body of /b?q'],
      ['c', 'body of /c?q'],
    ]);
    expect(frames[1]).toBe(inline);
    expect(frames[0]).toMatchObject({ type: DataType.image, status: DataStatus.once });
    expect([...(frames[0]?.desc ?? [])]).toEqual([
      ['dataSrc', 'http'],
      ['url', `${base}/a?q`],
      ['encoding', 'png'],
    ]);
    expect(a.desc.get('secret')).toBe('y');
  });

  it('has no more downloads for one request at the same time than it may', async () => {
    let running = 0;
    let most = 0;
    const base = await serve((_request, response) => {
      most = Math.max(most, ++running);
      setImmediate(() => {
        running--;
        response.end('x');
      });
    });
    const urls = Array.from({ length: 20 }, (_, i) => `${base}/${i}`);
    expect(await fetched(dataSource({ parallel: 3 }), ...urls)).toHaveLength(20);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('gives a body of known length in memory of exactly its size', async () => {
    const body = Buffer.alloc(100_000, 'x');
    const base = await serve((_request, response) => response.end(body));
    const [filled] = await dataSource().resolve([httpFrame(base)], never);
    expect(filled?.data.buffer.byteLength).toBe(body.length);
    expect(body.equals(filled?.data ?? new Uint8Array())).toBe(true);
  });

  it('takes an empty body and one in chunks', async () => {
    const base = await serve((request, response) => {
      if (request.url === '/chunks') response.write('first ');
      response.end(request.url === '/chunks' ? 'second' : '');
    });
    expect(await fetched(dataSource(), `${base}/empty`, `${base}/chunks`)).toEqual(['', 'first second']);
  });

  it('unpacks what lies there packed, and counts the unpacked bytes', async () => {
    const base = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity');
      const encoding = String(request.url).slice(1);
      response.setHeader('content-encoding', encoding);
      response.end(encoding === 'gzip' ? gzipSync('x'.repeat(1000)) : 'x');
    });
    expect(await fetched(dataSource({ maxBytes: 1000 }), `${base}/gzip`)).toEqual(['x'.repeat(1000)]);
    const tooLarge = await failure(dataSource({ maxBytes: 999 }), httpFrame(`${base}/gzip`));
    expect(tooLarge.message).toBe('http download fail with more than 999 bytes');
    const unknown = await failure(dataSource(), httpFrame(`${base}/br`));
    expect(unknown.message).toBe('http download fail with unknown content encoding');
  });

  it('says why a download failed without the query of its URL', async () => {
    const base = await serve((_request, response) => response.writeHead(404).end('not here'));
    const error = await failure(dataSource({ retries: 5 }), httpFrame(`${base}/a?token=hush`));
    expect(error).toMatchObject({ code: 10009, message: 'http download fail with status 404' });
    expect(error.detail).toBe(`download from ${base.slice('http://'.length)}`);
  });

  it.each([[201], [204], [206], [304], [302], [400]])(
    'takes status %i without a location for a failure',
    async (status) => {
      const base = await serve((_request, response) => response.writeHead(status).end());
      expect((await failure(dataSource(), httpFrame(base))).message).toBe(`http download fail with status ${status}`);
    },
  );

  it('tries again after a server error and a broken connection, as often as it may', async () => {
    let requests = 0;
    const base = await serve((request, response) => {
      requests++;
      if (requests === 1) response.writeHead(500).end('sorry');
      else if (requests === 2) request.socket.destroy();
      else if (requests === 3) truncate(response);
      else response.end('at last');
    });
    expect(await fetched(dataSource({ retries: 4 }), base)).toEqual(['at last']);
    expect(requests).toBe(4);
    requests = 0;
    expect((await failure(dataSource({ retries: 2 }), httpFrame(base))).message).toBe(
      'http download fail with ECONNRESET',
    );
    expect(requests).toBe(2);
    requests = 0;
    expect((await failure(dataSource(), httpFrame(base))).message).toBe('http download fail with status 500');
    expect(requests).toBe(1);
  });

  it('reports a body that ends early, with and without an announced length', async () => {
    const base = await serve((request, response) => {
      truncate(response, request.url === '/length' ? 1000 : undefined);
    });
    for (const path of ['/length', '/chunks']) {
      const error = await failure(dataSource(), httpFrame(base + path));
      expect(error).toMatchObject({ code: 10009, message: 'http download fail with ECONNRESET' });
    }
  });

  it('reports a port where nobody listens and one where nobody speaks HTTP', async () => {
    const server = createTcpServer((socket) => socket.end('220 mail.example ready\r\n'));
    const port = await listen(server);
    expect((await failure(dataSource(), httpFrame(`http://127.0.0.1:${port}/`))).message).toMatch(
      /^http download fail with HPE_/,
    );
    expect((await failure(dataSource(), httpFrame(`http://127.0.0.1:${await closedPort()}/`))).message).toBe(
      'http download fail with ECONNREFUSED',
    );
  });

  it('refuses an upgrade that it did not ask for', async () => {
    const port = await listen(
      createTcpServer((socket) => {
        socket.write('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
      }),
    );
    const error = await failure(dataSource(), httpFrame(`http://127.0.0.1:${port}/`));
    expect(error.message).toBe('http download fail with ECONNRESET');
  });

  it('uses a connection again, and opens a new one when the server has closed it meanwhile', async () => {
    const ports: (number | undefined)[] = [];
    const base = await serve((request, response) => {
      const port = request.socket.remotePort;
      // The third request on the first connection finds it closed.
      if (ports.filter((one) => one === port).length === 2) request.socket.destroy();
      else response.end('x');
      ports.push(port);
    });
    const source = dataSource();
    for (let i = 0; i < 3; i++) expect(await fetched(source, base)).toEqual(['x']);
    expect(ports).toHaveLength(4);
    expect(new Set(ports).size).toBe(2);
  });
});

describe('limits', () => {
  it('refuses a body that announces too many bytes before it reads any', async () => {
    const base = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 11 });
      response.flushHeaders();
    });
    const error = await failure(dataSource({ maxBytes: 10 }), httpFrame(base));
    expect(error).toMatchObject({ code: 10009, message: 'http download fail with more than 10 bytes' });
  });

  it('stops reading an endless body at the limit', async () => {
    const closed = gate();
    const base = await serve((_request, response) => {
      const send = (): void => {
        while (response.write(Buffer.alloc(1000)));
      };
      response.on('drain', send).on('close', closed.open);
      send();
    });
    const error = await failure(dataSource({ maxBytes: 100_000, retries: 3 }), httpFrame(base));
    expect(error.message).toBe('http download fail with more than 100000 bytes');
    await closed.promise;
  });

  it('takes a body of exactly as many bytes as it may have', async () => {
    const base = await serve((request, response) => {
      if (request.url === '/chunks') response.write('12345');
      response.end(request.url === '/chunks' ? '67890' : '1234567890');
    });
    expect(await fetched(dataSource({ maxBytes: 10 }), base, `${base}/chunks`)).toEqual(['1234567890', '1234567890']);
  });

  it('limits what all frames of a request take together', async () => {
    const base = await serve((_request, response) => response.end('1234567890'));
    const source = dataSource({ maxTotalBytes: 25 });
    expect(await fetched(source, base, base)).toHaveLength(2);
    await expect(fetched(source, base, base, base)).rejects.toMatchObject({
      code: 10009,
      message: 'http download fail with more than 25 bytes in one request',
    });
  });

  it('does not count what a failed attempt took', async () => {
    let requests = 0;
    const base = await serve((_request, response) => {
      if (++requests < 3) truncate(response, 20);
      else response.end('12345678901234567890');
    });
    expect(await fetched(dataSource({ maxTotalBytes: 25, retries: 3 }), base)).toEqual(['12345678901234567890']);
  });

  it('closes the connection of an answer that it does not read', async () => {
    const closed = gate();
    const base = await serve((_request, response) => {
      response.on('close', closed.open);
      response.writeHead(404).write('and so on');
    });
    expect((await failure(dataSource(), httpFrame(base))).message).toBe('http download fail with status 404');
    await closed.promise;
  });

  it('ends a download that takes too long, whatever it waits for', async () => {
    const base = await serve((request, response) => {
      if (request.url === '/body') response.writeHead(200, { 'content-length': 10 }).write('x');
    });
    for (const path of ['/head', '/body']) {
      const error = await failure(dataSource({ timeoutMs: 20, retries: 3 }), httpFrame(base + path));
      expect(error).toMatchObject({ code: 10009, message: 'http download fail with no end within 20 ms' });
    }
  });

  it("rejects with the signal's reason at once, and closes the connection", async () => {
    for (const path of ['/head', '/body']) {
      const leaving = new AbortController();
      const closed = gate();
      const reason = new AigesError('cancelled');
      const base = await serve((request, response) => {
        response.on('close', closed.open);
        if (request.url === '/body') response.writeHead(200, { 'content-length': 10 }).write('x');
        setImmediate(() => {
          leaving.abort(reason);
        });
      });
      expect(await failure(dataSource(), httpFrame(base + path), leaving.signal)).toBe(reason);
      await closed.promise;
    }
  });

  it('does not wait for the next attempt when the signal aborts', async () => {
    const leaving = new AbortController();
    const reason = new AigesError('timeout');
    const base = await serve((_request, response) => {
      response.writeHead(500).end();
      response.on('close', () => {
        leaving.abort(reason);
      });
    });
    const source = dataSource({ retries: 1_000_000, timeoutMs: Infinity });
    expect(await failure(source, httpFrame(base), leaving.signal)).toBe(reason);
  });

  it('ends the other downloads of a request when one fails', async () => {
    const closed = gate();
    const answers = new Map<string | undefined, ServerResponse>();
    const base = await serve((request, response) => {
      answers.set(request.url, response);
      if (request.url === '/slow') response.on('close', closed.open);
      if (answers.size === 2) answers.get('/bad')?.writeHead(404).end();
    });
    await expect(fetched(dataSource(), `${base}/bad`, `${base}/slow`)).rejects.toMatchObject({
      message: 'http download fail with status 404',
    });
    await closed.promise;
  });
});

describe('places', () => {
  it('refuses loopback unless the list has the address or a range around it', async () => {
    const base = await serve((_request, response) => response.end('secret'));
    const port = new URL(base).port;
    for (const allow of [['*'], ['localhost'], ['0.0.0.0/0'], ['10.0.0.0/8'], ['127.0.0.1:1']]) {
      const error = await failure(dataSource({ allow }), httpFrame(base));
      expect(error.message).toBe('input invalid data source');
    }
    for (const allow of [['127.0.0.1'], ['127.0.0.0/8'], [`127.0.0.1:${port}`]]) {
      expect(await fetched(dataSource({ allow }), base)).toEqual(['secret']);
    }
  });

  it('connects to the address that was checked and asks for it once', async () => {
    const base = await serve((request, response) => response.end(request.headers.host));
    const port = new URL(base).port;
    const answers = ['127.0.0.1', '169.254.169.254'];
    const asked: string[] = [];
    const source = dataSource({ allow: ['127.0.0.1'] }, (name) => {
      asked.push(name);
      return Promise.resolve([{ address: answers[asked.length - 1] ?? '', family: 4 }]);
    });
    expect(await fetched(source, `http://rebound.example:${port}/`)).toEqual([`rebound.example:${port}`]);
    expect(asked).toEqual(['rebound.example']);
    const error = await failure(source, httpFrame(`http://rebound.example:${port}/`));
    expect(error.message).toBe('input invalid data source');
  });

  it('follows redirects, relative ones too', async () => {
    const base = await serve((request, response) => {
      const next = { '/1': '/2', '/2': `${base}/3`, '/3': '4?x' }[String(request.url)];
      if (next === undefined) response.end(request.url);
      else response.writeHead(307, { location: next }).end();
    });
    expect(await fetched(dataSource(), `${base}/1`)).toEqual(['/4?x']);
    expect((await failure(dataSource({ maxRedirects: 2 }), httpFrame(`${base}/1`))).message).toBe(
      'http download fail with more than 2 redirects',
    );
  });

  it('leaves a circle of redirects', async () => {
    let requests = 0;
    const base = await serve((_request, response) => {
      requests++;
      response.writeHead(302, { location: '/' }).end();
    });
    const error = await failure(dataSource({ retries: 3 }), httpFrame(base));
    expect(error).toMatchObject({ code: 10009, message: 'http download fail with more than 3 redirects' });
    expect(requests).toBe(4);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data', 'input invalid data source'],
    ['http://[::1]/', 'input invalid data source'],
    ['http://0x7f.0.0.2/', 'input invalid data source'],
    ['http://other.example/', 'input invalid data source'],
    ['file:///etc/passwd', 'http download fail with invalid redirect'],
    ['http://user:word@127.0.0.1/', 'http download fail with invalid redirect'],
  ])('does not follow a redirect to %s', async (location, message) => {
    const base = await serve((_request, response) => response.writeHead(301, { location }).end());
    const port = new URL(base).port;
    const allow = ['127.0.0.1', 'files.example'];
    const source = dataSource({ allow }, (name) =>
      Promise.resolve([{ address: name === 'files.example' ? '127.0.0.1' : '10.0.0.1', family: 4 }]),
    );
    expect((await failure(source, httpFrame(`http://files.example:${port}/`))).message).toBe(message);
  });
});

describe('data over https', () => {
  const port = (): Promise<number> =>
    listen(createTlsServer({ key, cert }, (request, response) => response.end(request.headers.host)));

  it('checks the certificate against the name, not the address', async () => {
    const url = `https://files.example:${await port()}/`;
    expect(await fetched(dataSource({ ca: cert }, named), url)).toEqual([url.slice('https://'.length, -1)]);
  });

  it('refuses a certificate of another name and one that nobody vouches for', async () => {
    const at = await port();
    const other = await failure(dataSource({ ca: cert, retries: 3 }, named), httpFrame(`https://other.example:${at}/`));
    expect(other.message).toBe('http download fail with ERR_TLS_CERT_ALTNAME_INVALID');
    const unknown = await failure(dataSource({}, named), httpFrame(`https://files.example:${at}/`));
    expect(unknown.message).toBe('http download fail with DEPTH_ZERO_SELF_SIGNED_CERT');
  });
});

describe('data in S3', () => {
  const access = 'AKIDTEST';
  const secret = 'se/cret+key=';

  function s3Frame(endpoint: string, changes: Record<string, string> = {}): Frame {
    return frame({
      dataSrc: 's3',
      access,
      secret,
      endpoint,
      bucket: 'photos',
      key: 'a.png',
      encoding: 'png',
      ...changes,
    });
  }

  it.each([
    ['a plain key', {}, '/photos/a.png'],
    ['a key of several folders and odd characters', { key: "x/é (1)+'*!.png?#%" }, null],
    ['a key with dots between slashes', { key: 'x/../y/./z' }, '/photos/x/../y/./z'],
    ['another region', { region: 'eu-central-1' }, '/photos/a.png'],
  ])('signs a request for %s so that the server agrees', async (_name, changes, path) => {
    const bucket = new Bucket(access, secret);
    const endpoint = await serve(bucket.listener);
    const [filled] = await dataSource().resolve([s3Frame(endpoint, changes)], never);
    const desc = new Map(s3Frame(endpoint, changes).desc);
    expect(Buffer.from(filled?.data ?? []).toString()).toBe(`object ${String(desc.get('key'))}`);
    expect(bucket.regions).toEqual([desc.get('region') ?? 'us-east-1']);
    if (path !== null) expect(bucket.paths).toEqual([path]);
    desc.delete('access');
    desc.delete('secret');
    expect(filled?.desc).toEqual(desc);
  });

  it('signs every attempt', async () => {
    const bucket = new Bucket(access, secret);
    let requests = 0;
    const endpoint = await serve((request, response) => {
      if (++requests < 3) response.writeHead(503).end();
      else bucket.listener(request, response);
    });
    const [filled] = await dataSource({ retries: 3 }).resolve([s3Frame(endpoint)], never);
    expect(Buffer.from(filled?.data ?? []).toString()).toBe('object a.png');
  });

  it('reports a wrong secret without any of the credentials', async () => {
    const endpoint = await serve(new Bucket(access, 'another').listener);
    const error = await failure(dataSource(), s3Frame(endpoint));
    expect(error).toMatchObject({ code: 10009, message: 'http download fail with status 403' });
    const everything = `${error.message} ${String(error.detail)} ${String(error.stack)}`;
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(access);
  });

  it('does not take its signature along a redirect', async () => {
    const seen: IncomingMessage[] = [];
    const base = await serve((request, response) => {
      seen.push(request);
      if (request.url === '/elsewhere') response.end('x');
      else response.writeHead(307, { location: '/elsewhere' }).end();
    });
    await dataSource().resolve([s3Frame(base)], never);
    expect(seen.map(({ headers }) => headers.authorization !== undefined)).toEqual([true, false]);
    expect(Object.keys(seen[1]?.headers ?? {}).filter((name) => name.startsWith('x-amz-'))).toEqual([]);
  });

  it('takes https for an endpoint without a scheme, and keeps the path of one', async () => {
    const bucket = new Bucket(access, secret);
    const at = await listen(createTlsServer({ key, cert }, bucket.listener));
    const source = dataSource({ ca: cert }, named);
    await source.resolve([s3Frame(`files.example:${at}/store/`)], never);
    expect(bucket.paths).toEqual(['/store/photos/a.png']);
  });

  it('refuses an endpoint at a private address', async () => {
    const error = await failure(dataSource({ allow: ['*'] }), s3Frame('http://169.254.169.254'));
    expect(error.message).toBe('input invalid data source');
  });
});

function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

function truncate(response: ServerResponse, length?: number): void {
  if (length !== undefined) response.setHeader('content-length', length);
  response.write('only a part', () => {
    response.destroy();
  });
}

/**
 * A bucket that answers only requests whose signature it has worked out for itself, following the text of the Signature
 * Version 4 description, from nothing but what came over the wire.
 */
class Bucket {
  readonly paths: string[] = [];
  readonly regions: string[] = [];
  readonly #access: string;
  readonly #secret: string;

  constructor(access: string, secret: string) {
    this.#access = access;
    this.#secret = secret;
  }

  readonly listener = (request: IncomingMessage, response: ServerResponse): void => {
    const url = String(request.url);
    this.paths.push(url);
    if (!this.#verified(request)) {
      response.writeHead(403).end('<Code>SignatureDoesNotMatch</Code>');
      return;
    }
    response.end(`object ${decodeURIComponent(url.slice(url.indexOf('/photos/') + '/photos/'.length))}`);
  };

  #verified(request: IncomingMessage): boolean {
    const given =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
        request.headers.authorization ?? '',
      );
    if (given === null) return false;
    const [, access, day = '', region = '', names = '', signature] = given;
    this.regions.push(region);
    const time = String(request.headers['x-amz-date']);
    const required = ['host', 'x-amz-content-sha256', 'x-amz-date'];
    if (access !== this.#access || !time.startsWith(`${day}T`)) return false;
    if (required.some((name) => !names.split(';').includes(name))) return false;
    const sha = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
    if (request.headers['x-amz-content-sha256'] !== sha('')) return false;
    let canonical = `${String(request.method)}\n${String(request.url)}\n\n`;
    for (const name of names.split(';')) canonical += `${name}:${String(request.headers[name])}\n`;
    canonical += `\n${names}\n${sha('')}`;
    const hmac = (secret: string | Buffer, text: string): Buffer => createHmac('sha256', secret).update(text).digest();
    const dayKey = hmac(`AWS4${this.#secret}`, day);
    const signingKey = hmac(hmac(hmac(dayKey, region), 's3'), 'aws4_request');
    const text = `AWS4-HMAC-SHA256\n${time}\n${day}/${region}/s3/aws4_request\n${sha(canonical)}`;
    return hmac(signingKey, text).toString('hex') === signature;
  }
}
