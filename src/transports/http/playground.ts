import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { AigesError } from '../../core/errors.js';

export interface PlaygroundOptions {
  /** Where its files are; where the build puts them unless said otherwise. */
  readonly folder?: string;
}

/** The same seen from the sources and from what they are compiled to. */
const builtFolder = fileURLToPath(new URL('../../../dist/playground', import.meta.url));

/** What the page may do: load its own files, call its own loader, and show what that answers. */
const policy = [
  "default-src 'self'",
  "img-src 'self' blob:",
  "media-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const placeOfAssets = '{assets}';

/**
 * Serves the playground at `/`. Its files have an address that changes with them, so that browsers may keep them for
 * ever; the page itself is asked for each time.
 * @throws AigesError when the playground has not been built
 */
export function registerPlayground(app: FastifyInstance, { folder = builtFolder }: PlaygroundOptions = {}): void {
  const { version, html } = readPage(folder);
  const assets = `playground/${version}`;
  const page = html.replaceAll(placeOfAssets, assets);
  const etag = `"${version}"`;

  app.get('/', (request, reply) => {
    reply.headers({
      'cache-control': 'no-cache',
      'content-security-policy': policy,
      'cross-origin-opener-policy': 'same-origin',
      etag,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    return reply.type('text/html; charset=utf-8').send(page);
  });
  void app.register(fastifyStatic, {
    root: folder,
    prefix: `/${assets}/`,
    decorateReply: false,
    index: false,
    immutable: true,
    maxAge: '365d',
    setHeaders: (reply) => {
      reply.header('content-security-policy', policy);
      reply.header('x-content-type-options', 'nosniff');
    },
  });
}

/** The page, and a version that changes with any file. Times would not do: archives of packages say the same for all. */
function readPage(folder: string): { version: string; html: string } {
  try {
    const hash = createHash('sha256');
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
    for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
    return { version: hash.digest('hex').slice(0, 16), html: readFileSync(join(folder, 'index.html'), 'utf8') };
  } catch (error) {
    const message = `the playground cannot be read (${folder}): build it with "npm run build:ts", or set [http].ui = false`;
    throw new AigesError('initFailed', { message, cause: error });
  }
}
