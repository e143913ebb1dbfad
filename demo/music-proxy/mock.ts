import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A recogniser that knows no music: the first word of a sample says what it answers. */
export interface MockRecogniser {
  readonly url: string;
  /** Requests that are waiting for an answer that will not come. */
  readonly hanging: () => number;
  stop(): Promise<void>;
}

export const accounts: Readonly<Record<string, string>> = { 'music-key': 'music-secret', 'humming-key': 'hum-secret' };

const path = '/v1/identify';

/** Listens on a free port of 127.0.0.1. */
export async function startMock(): Promise<MockRecogniser> {
  let hanging = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = await readForm(request);
    const fault = faultOf(request, form);
    const [word = '', argument = ''] = (form.get('sample') ?? '').split(' ');
    const send = (status: object, rest: object = {}): void => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ status, ...rest }));
    };
    if (fault !== null) send(fault);
    else if (word === 'http') response.writeHead(Number(argument)).end('busy');
    else if (word === 'code') send({ code: Number(argument), msg: 'as asked' });
    else if (word === 'text') response.end('<html>');
    else if (word === 'cut') request.socket.destroy();
    else if (word === 'hang') {
      hanging++;
      response.on('close', () => hanging--);
    } else {
      const title = form.get('access_key') === 'music-key' ? 'a recording' : 'a hummed tune';
      send({ code: 0, msg: 'Success' }, { metadata: { music: [{ title, score: 97 }] } });
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(400).end(String(error));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    hanging: () => hanging,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The parts of a multipart form by name. */
async function readForm(request: IncomingMessage): Promise<ReadonlyMap<string, string>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const boundary = /boundary=(.+)$/.exec(request.headers['content-type'] ?? '')?.[1] ?? '';
  // One character per byte: samples are no text.
  const parts = Buffer.concat(chunks).toString('latin1').split(`--${boundary}`).slice(1, -1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\r\n\r\n');
      return [/ name="([^"]*)"/.exec(part.slice(0, end))?.[1] ?? '', part.slice(end + 4, -2)];
    }),
  );
}

/** Checks a request as the real one does. */
function faultOf({ method, url }: IncomingMessage, form: ReadonlyMap<string, string>): object | null {
  const key = form.get('access_key') ?? '';
  const secret = accounts[key];
  if (secret === undefined) return { code: 3001, msg: 'Invalid Access Key' };
  const signed = [method, url, key, 'audio', '1', form.get('timestamp')].join('\n');
  const signature = createHmac('sha1', secret).update(signed).digest('base64');
  if (signature !== form.get('signature')) return { code: 3014, msg: 'Invalid Signature' };
  const size = form.get('sample')?.length;
  if (String(size) !== form.get('sample_bytes')) return { code: 3006, msg: 'Invalid Arguments' };
  return null;
}
