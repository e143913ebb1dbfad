import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { testWrapper } from 'aiges-ts/testing';
import { startStandIn } from './stand-in.js';
import Wrapper from './wrapper.js';

let server: Server | null = null;

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  server = null;
});

/** A third party that does what a test wants. */
async function thirdParty(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}/`;
}

const config = (url: string, more: Record<string, string> = {}): Record<string, string> => ({
  url,
  accessKey: 'key',
  accessSecret: 'secret',
  ...more,
});
const inputs = { audio: new Uint8Array(10) };

test('says which value of the configuration is missing', async () => {
  await assert.rejects(testWrapper(Wrapper, { url: 'http://127.0.0.1' }), /\[wrapper\]\.accessKey is missing/);
});

test('says what is wrong with the time to wait', async () => {
  for (const timeoutMs of ['5s', '', '0', '-1', '1.5', 'Infinity']) {
    await assert.rejects(testWrapper(Wrapper, config('http://127.0.0.1', { timeoutMs })), (error: Error) =>
      error.message.includes(
        `[wrapper].timeoutMs in aiges.toml: expected milliseconds, such as 5000, but found "${timeoutMs}"`,
      ),
    );
  }
});

test('passes errors of the third party on', async () => {
  const standIn = await startStandIn(0, 'another secret');
  server = standIn.server;
  const wrapper = await testWrapper(Wrapper, config(standIn.url));
  await assert.rejects(wrapper.once({ inputs }), /the signature is not valid;code=3014/);
});

test('tells HTTP errors, unreadable answers and silence apart', async () => {
  const failing = await testWrapper(Wrapper, config(await thirdParty((_, reply) => reply.writeHead(503).end())));
  await assert.rejects(failing.once({ inputs }), /the service answered 503;code=4503/);
  server?.close();

  const strange = await testWrapper(Wrapper, config(await thirdParty((_, reply) => reply.end('<html>'))));
  await assert.rejects(strange.once({ inputs }), /an answer without a code;code=4500/);
  server?.close();

  const silent = await testWrapper(Wrapper, config(await thirdParty(() => undefined), { timeoutMs: '50' }));
  await assert.rejects(silent.once({ inputs }), /longer than 50 ms;code=4408/);
  server?.closeAllConnections();
  server?.close();

  const begins = await thirdParty((_, reply) => {
    reply.writeHead(200).write('{"code":');
  });
  const halfway = await testWrapper(Wrapper, config(begins, { timeoutMs: '500' }));
  await assert.rejects(halfway.once({ inputs }), /longer than 500 ms;code=4408/);
});

test('says when nobody is there', async () => {
  const url = await thirdParty(() => undefined);
  await new Promise((resolve) => server?.close(resolve));
  const wrapper = await testWrapper(Wrapper, config(url));
  await assert.rejects(wrapper.once({ inputs }), /no answer from 127\.0\.0\.1:\d+.*;code=4003/);
});

test('signs what it sends and gives the answer', async () => {
  const standIn = await startStandIn(0, 'secret');
  server = standIn.server;
  const wrapper = await testWrapper(Wrapper, config(standIn.url));
  const answer = await wrapper.once({ params: { mode: 'music' }, inputs });
  assert.deepEqual(answer.result?.json(), { code: 0, mode: 'music', title: '10 bytes in A minor' });
});
