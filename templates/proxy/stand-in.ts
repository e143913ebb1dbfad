// Stands for the third party, so that everything works without it:
//   npm run stand-in                listens where aiges.toml points to
//   npm run run                     the same for as long as `aiges-ts run` takes
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';

/** Serves the API of the third party: checks the signature and finds a song in everything. */
export async function startStandIn(port: number, secret: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    void answer(request, secret).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/identify`, server };
}

async function answer(request: IncomingMessage, secret: string): Promise<{ status: number; body: object }> {
  const form = await readForm(request).catch(() => null);
  if (form === null) return { status: 400, body: { code: 3002, message: 'the content is not valid' } };
  const field = (name: string): string => {
    const value = form.get(name);
    return typeof value === 'string' ? value : '';
  };
  const names = ['access_key', 'data_type', 'signature_version', 'timestamp'];
  const signed = ['POST', request.url ?? '', ...names.map(field)].join('\n');
  const signature = createHmac('sha1', secret).update(signed).digest('base64');
  if (field('signature') !== signature) return { status: 200, body: { code: 3014 } };
  const sample = form.get('sample');
  const bytes = sample instanceof Blob ? sample.size : 0;
  if (bytes === 0) return { status: 200, body: { code: 1001 } };
  return { status: 200, body: { code: 0, mode: field('data_type'), title: `${bytes} bytes in A minor` } };
}

async function readForm(request: IncomingMessage): Promise<FormData> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new Response(Buffer.concat(chunks), {
    headers: { 'content-type': request.headers['content-type'] ?? '' },
  }).formData();
}

async function main([command, ...args]: readonly string[]): Promise<void> {
  const { url, server } = await startStandIn(8790, 'demo-secret');
  console.log(`the stand-in listens at ${url}`);
  if (command === undefined) return;
  const child = spawn(command, args, { stdio: 'inherit' });
  const end = (code: number): void => {
    process.exitCode = code;
    server.close();
    server.closeAllConnections();
  };
  child.once('exit', (code) => {
    end(code ?? 1);
  });
  child.once('error', (error) => {
    console.error(`${command}: ${error.message}`);
    end(1);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
