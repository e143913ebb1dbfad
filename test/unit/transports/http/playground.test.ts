import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerPlayground } from '../../../../src/transports/http/playground.js';

describe('the page at /', () => {
  let around: string;
  let folder: string;
  let app: FastifyInstance;

  beforeEach(() => {
    around = mkdtempSync(join(tmpdir(), 'aiges-page-'));
    writeFileSync(join(around, 'secret'), 'secret');
    folder = join(around, 'page');
    mkdirSync(join(folder, 'view'), { recursive: true });
    writeFileSync(join(folder, 'index.html'), '<script type="module" src="{assets}/main.js"></script>');
    writeFileSync(join(folder, 'main.js'), `import './view/form.js';`);
    writeFileSync(join(folder, 'view', 'form.js'), 'first');
    app = serve();
  });
  afterEach(async () => {
    await app.close();
    rmSync(around, { recursive: true });
  });

  function serve(): FastifyInstance {
    const made = Fastify();
    registerPlayground(made, { folder });
    return made;
  }

  const assetsOf = async (from: FastifyInstance): Promise<string> =>
    /src="(playground\/[0-9a-f]{16})\/main\.js"/.exec((await from.inject('/')).body)?.[1] ?? '';

  it('cannot be served before it is built, and says how to build it', () => {
    rmSync(join(folder, 'index.html'));
    expect(serve).toThrow(/npm run build:ts.*\[http\]\.ui = false/);
    expect(() => {
      registerPlayground(Fastify(), { folder: join(folder, 'nowhere') });
    }).toThrow(/npm run build:ts/);
  });

  it('may load its own files only, and run no script that stands in it', async () => {
    const { headers } = await app.inject('/');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toMatch(/^default-src 'self';/);
    expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|https?:/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('is asked for each time, and sent when it has changed', async () => {
    const first = await app.inject('/');
    expect(first.headers['cache-control']).toBe('no-cache');
    const { etag } = first.headers;
    const again = await app.inject({ url: '/', headers: { 'if-none-match': String(etag) } });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    const other = await app.inject({ url: '/', headers: { 'if-none-match': '"other"' } });
    expect(other.statusCode).toBe(200);
  });

  it('has files that are kept, under an address that changes with any of them', async () => {
    const assets = await assetsOf(app);
    const { statusCode, headers, body } = await app.inject(`/${assets}/view/form.js`);
    expect([statusCode, body]).toEqual([200, 'first']);
    expect(headers['cache-control']).toMatch(/max-age=31536000, immutable/);
    expect(headers['content-type']).toMatch(/javascript/);
    writeFileSync(join(folder, 'view', 'form.js'), 'other');
    const changed = serve();
    expect(await assetsOf(changed)).not.toBe(assets);
    await changed.close();
  });

  it.each([
    '/playground/',
    '/playground/0000000000000000/main.js',
    '/{assets}/../secret',
    '/{assets}/%2e%2e/secret',
    '/{assets}/nothing.js',
  ])('gives no %s', async (url) => {
    const { statusCode } = await app.inject(url.replace('{assets}', await assetsOf(app)));
    expect(statusCode).toBeGreaterThanOrEqual(400);
  });
});
