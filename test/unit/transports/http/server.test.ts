import type { AddressInfo } from 'node:net';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataType } from '../../../../src/core/frame.js';
import { type Answer, gate, textFrame } from '../../../fixtures/fake-runtime.js';
import { eventually } from '../../../fixtures/eventually.js';
import { route, setup } from '../../../fixtures/http-server.js';

const echo: Answer = (_call, frames) => frames.map((frame) => ({ ...frame, key: 'result' }));

describe('POST <route>', () => {
  it('has no page at / where it is switched off', async () => {
    const { app } = await setup(echo);
    expect((await app.inject('/')).statusCode).toBe(404);
  });

  it('answers a body that is not JSON with 400 and what is wrong with it', async () => {
    const { app } = await setup(echo);
    const response = await app.inject({ method: 'POST', url: route, payload: '{' });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10000 }, payload: null });
    expect(response.json<{ header: { message: string } }>().header.message).toMatch(
      /^request body is not valid: .*JSON/,
    );
  });

  it('answers a request without a body with 400', async () => {
    const { app } = await setup(echo);
    expect((await app.inject({ method: 'POST', url: route })).statusCode).toBe(400);
  });

  it('answers a body beyond the limit with 413', async () => {
    const { app } = await setup(echo);
    const response = await app.inject({ method: 'POST', url: route, payload: Buffer.alloc(2000, 0x20) });
    expect(response.statusCode).toBe(413);
    expect(response.json()).toMatchObject({ header: { code: 10000 } });
  });

  it('answers 429 with Retry-After when there is no permit and no place to wait', async () => {
    const hold = gate<readonly never[]>();
    const { app } = await setup(() => hold.promise);
    const first = app.inject({ method: 'POST', url: route, payload: '{}' });
    await app.inject('/healthz');
    const second = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(second.statusCode).toBe(429);
    expect(second.headers['retry-after']).toBe('1');
    expect(second.json()).toMatchObject({ header: { code: 10110 } });
    hold.open([]);
    expect((await first).statusCode).toBe(200);
  });

  it('answers 504 when the plugin takes longer than allowed, and keeps the permit until it returns', async () => {
    const hold = gate<readonly never[]>();
    const { app, service } = await setup(() => hold.promise, { onceTimeoutMs: 5 });
    const response = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(response.statusCode).toBe(504);
    expect(response.json()).toMatchObject({ header: { code: 10102 } });
    expect(service.load.running).toBe(1);
    hold.open([]);
    await service.drain();
    expect(service.load.running).toBe(0);
  });

  it("answers 500 with the plugin's text and code", async () => {
    const { app, errors } = await setup(() => {
      throw new AigesError('execFailed', { message: 'bad picture;code=7', pluginCode: 7 });
    });
    const response = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ header: { code: 10909, message: 'bad picture;code=7' } });
    expect(errors).toHaveLength(1);
  });

  it('answers 503 while the service drains', async () => {
    const { app, service } = await setup(echo);
    await service.drain();
    const response = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(response.statusCode).toBe(503);
    expect((await app.inject('/readyz')).statusCode).toBe(503);
    expect((await app.inject('/healthz')).statusCode).toBe(200);
  });

  it('answers 400 when the plugin gives an output that the request does not name', async () => {
    const { app, runtime } = await setup(() => [textFrame('other', 'x')]);
    const payload = JSON.stringify({ parameter: { echo: { result: {} } } });
    const response = await app.inject({ method: 'POST', url: route, payload });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10106 } });
    expect(runtime.outputsAlive).toBe(0);
  });

  it('gives all outputs with the types of the plugin when the request names none', async () => {
    const { app, runtime } = await setup(() => [
      textFrame('text', 'seven', { desc: new Map([['encoding', 'utf8']]) }),
      textFrame('image', 'abc', { type: DataType.image }),
    ]);
    const response = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.json()).toMatchObject({
      header: { code: 0, status: 3 },
      payload: {
        text: { encoding: 'utf8', seq: '0', status: '3', text: 'seven' },
        image: { seq: '0', status: '3', image: 'YWJj' },
      },
    });
    expect(runtime.outputsAlive).toBe(0);
  });

  it('repeats the attributes that the request asked for', async () => {
    const { app } = await setup(echo);
    const payload = JSON.stringify({
      header: { appid: 'demo' },
      parameter: { echo: { result: { encoding: 'utf8', compress: 'raw', format: 'plain', data_type: 'text' } } },
      payload: { input: { text: Buffer.from('raw').toString('base64'), encoding: 'gbk' } },
    });
    const response = await app.inject({ method: 'POST', url: route, payload });
    expect(response.json()).toMatchObject({
      payload: { result: { compress: 'raw', encoding: 'utf8', format: 'plain', seq: '0', status: '3', text: 'raw' } },
    });
  });

  it('hands sid and the listed headers to the plugin as parameters', async () => {
    let seen = new Map<string, string>();
    const { app } = await setup((call) => {
      seen = new Map(call.params);
      expect(call.tag).toBe(call.sid);
      return [];
    });
    const body = { header: { appid: 7, uid: 'not listed' }, parameter: { echo: { ctrl: 'normal' } } };
    const response = await app.inject({ method: 'POST', url: route, payload: JSON.stringify(body) });
    const { sid } = response.json<{ header: { sid: string } }>().header;
    expect(Object.fromEntries(seen)).toEqual({ ctrl: 'normal', appid: '7', sid });
    expect(sid).toMatch(/^[\da-f-]{36}$/);
  });

  it('takes any content type, as clients of the original send it', async () => {
    const { app } = await setup(echo);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', 'abc', ';;']) {
      const headers = { 'content-type': type };
      expect((await app.inject({ method: 'POST', url: route, payload: '{}', headers })).statusCode).toBe(200);
    }
  });

  it('refuses delivery through a message broker', async () => {
    const { app, runtime } = await setup(echo);
    const response = await app.inject({ method: 'POST', url: route, payload: '{"header":{"downMethod":"async"}}' });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10106 } });
    expect(runtime.calls).toBe(0);
  });

  it('tells the plugin when the client leaves', async () => {
    const left = gate<unknown>();
    const { app, service } = await setup(
      (call) =>
        new Promise((resolve) => {
          call.signal.addEventListener('abort', () => {
            left.open(call.signal.reason);
            resolve([]);
          });
        }),
    );
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const client = request({ host: '127.0.0.1', port, path: route, method: 'POST' });
    client.on('error', () => undefined);
    client.end('{}');
    while (service.load.running === 0) await new Promise((resolve) => setImmediate(resolve));
    client.destroy();
    expect(await left.promise).toMatchObject({ kind: 'cancelled' });
    await service.drain();
  });
});

describe('legacyErrors', () => {
  it.each([
    ['no JSON', '{', 10000],
    ['no base64', '{"payload":{"a":{"text":"###"}}}', 10001],
    ['too large a body', ' '.repeat(2000), 10000],
    ['a failure of the plugin', '{}', 10909],
  ])('answers %s with 500', async (_name, payload, code) => {
    const { app } = await setup(
      () => {
        throw new AigesError('execFailed');
      },
      { legacyErrors: true },
    );
    const response = await app.inject({ method: 'POST', url: route, payload });
    expect(response.statusCode).toBe(500);
    const document = response.json<{ header: Record<string, unknown> }>();
    expect(document).toMatchObject({ header: { code }, payload: null });
    expect(Object.keys(document.header)).toEqual(['code', 'message', 'sid']);
  });

  it('leaves what is not about a call as it is', async () => {
    const { app } = await setup(echo, { legacyErrors: true });
    expect((await app.inject('/nowhere')).statusCode).toBe(404);
    expect((await app.inject({ method: 'POST', url: route, payload: '{}' })).statusCode).toBe(200);
  });
});

describe('what the log says', () => {
  it('names the request as its client does, to a limit', async () => {
    const { app, contexts, requests } = await setup(echo);
    const headers = { 'x-request-id': `id-${'x'.repeat(1000)}` };
    const response = await app.inject({ method: 'POST', url: `${route}?secret=1`, payload: '{', headers });
    const sid = response.headers['x-aiges-sid'];
    const requestId = headers['x-request-id'].slice(0, 200);
    expect(contexts).toEqual([{ route, sid, requestId }]);
    await eventually(() => requests).toMatchObject([
      { method: 'POST', route, sid, requestId, status: 400, complete: true },
    ]);
    // It is of no other use: whoever could choose the session could guess those of others.
    expect(sid).not.toContain('id-');
  });

  it('has a line for every request', async () => {
    const { app, requests } = await setup(echo);
    await app.inject({ method: 'POST', url: route, payload: '{}' });
    await app.inject('/healthz');
    await app.inject('/nowhere');
    await eventually(() => requests.map(({ method, route: path, status }) => `${method} ${path} ${status}`)).toEqual([
      `POST ${route} 200`,
      'GET /healthz 200',
      'GET /nowhere 404',
    ]);
    expect(requests.every(({ ms }) => Number.isInteger(ms) && ms >= 0)).toBe(true);
    expect(requests[1]).not.toHaveProperty('requestId');
  });
});

describe('cors', () => {
  const origin = 'https://app.example.com';
  const preflight = {
    method: 'OPTIONS',
    url: route,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-request-id',
    },
  } as const;

  it('is off', async () => {
    const { app } = await setup(echo);
    const response = await app.inject(preflight);
    expect(response.statusCode).toBe(405);
    expect(response.headers).not.toHaveProperty('access-control-allow-origin');
    const answer = await app.inject({ method: 'POST', url: route, payload: '{}', headers: { origin } });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('lets pages of the listed origins in, and no others', async () => {
    const { app } = await setup(echo, { cors: [origin, 'http://localhost:8080'] });
    const response = await app.inject(preflight);
    expect(response.statusCode).toBe(204);
    expect(response.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'content-type,x-request-id',
    });
    const answer = await app.inject({ method: 'POST', url: route, payload: '{', headers: { origin } });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'X-Aiges-Sid, X-Aiges-Code, Retry-After',
      vary: 'Origin',
    });
    const stranger = { ...preflight.headers, origin: 'https://evil.example.com' };
    const refused = await app.inject({ ...preflight, headers: stranger });
    expect(refused.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('lets every page in where "*" is listed, also to events', async () => {
    const { app } = await setup(echo, { cors: ['*'] });
    expect((await app.inject(preflight)).headers['access-control-allow-origin']).toBe('*');
    const headers = { origin, accept: 'text/event-stream' };
    const answer = await app.inject({ method: 'POST', url: route, payload: '{}', headers });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'access-control-allow-origin': '*',
    });
  });
});

describe('other paths', () => {
  it('answers an unknown path with 404 and the routes there are', async () => {
    const { app } = await setup(echo);
    const response = await app.inject('/v1/private/nope');
    expect(response.statusCode).toBe(404);
    expect(response.body).toContain(`POST ${route}`);
  });

  it.each([
    ['GET', route, 'POST'],
    ['PUT', route, 'POST'],
    ['DELETE', `${route}?a=b`, 'POST'],
    ['POST', '/healthz', 'GET'],
    ['POST', '/openapi.json', 'GET'],
  ] as const)('answers %s %s with 405 and the method there is', async (method, url, allowed) => {
    const { app } = await setup(echo);
    const response = await app.inject({ method, url });
    expect(response.statusCode).toBe(405);
    expect(response.headers['allow']).toBe(allowed);
    expect(response.json()).toMatchObject({ header: { code: 10003 }, payload: null });
  });

  it('answers 404 to a path that would be a pattern of routes', async () => {
    const { app, errors } = await setup(echo);
    for (const url of ['/:a(b', '/*x', '/:a', '/*', '/v1/private/:a']) {
      expect((await app.inject(url)).statusCode).toBe(404);
    }
    expect(errors).toEqual([]);
  });

  it('answers a URL that cannot be decoded with 400 and the document of an error', async () => {
    const { app } = await setup(echo);
    const response = await app.inject({ method: 'POST', url: '/%zz', payload: '{}' });
    expect(response.statusCode).toBe(400);
    expect(response.headers['x-aiges-code']).toBe('10000');
    expect(response.json()).toMatchObject({
      header: { code: 10000, message: expect.stringContaining('/%zz') as unknown },
      payload: null,
    });
  });

  it('answers probes', async () => {
    const { app } = await setup(echo);
    expect((await app.inject('/healthz')).json()).toEqual({ status: 'ok' });
    expect((await app.inject('/readyz')).json()).toEqual({ status: 'ready' });
  });

  it('gives the document about the services as it is now', async () => {
    let title = 'one';
    const { app } = await setup(echo, { document: () => ({ openapi: '3.1.0', info: { title } }) });
    const response = await app.inject('/openapi.json');
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.json()).toEqual({ openapi: '3.1.0', info: { title: 'one' } });
    title = 'two';
    expect((await app.inject('/openapi.json')).json()).toMatchObject({ info: { title: 'two' } });
  });
});
