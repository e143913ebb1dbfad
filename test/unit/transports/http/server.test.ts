import type { AddressInfo } from 'node:net';
import { request } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataType } from '../../../../src/core/frame.js';
import { Admission } from '../../../../src/engine/admission.js';
import { Service } from '../../../../src/engine/service.js';
import { createHttpServer, type HttpOptions } from '../../../../src/transports/http/server.js';
import { type Answer, FakeRuntime, gate, prepare, streams, textFrame } from '../../../fixtures/fake-runtime.js';

const route = '/v1/private/echo';
let open: FastifyInstance | null = null;

interface Setup {
  app: FastifyInstance;
  runtime: FakeRuntime;
  service: Service;
  errors: AigesError[];
}

function setup(answer: Answer, changes: Partial<HttpOptions> = {}, limits = { permits: 1, queue: 0 }): Setup {
  const runtime = new FakeRuntime(answer);
  const service = new Service({
    name: 'echo',
    runtime,
    admission: new Admission(limits),
    prepare,
    resources: null,
    streams,
  });
  const errors: AigesError[] = [];
  const app = createHttpServer({
    services: [{ service, route, headerPass: ['appid', 'sid'] }],
    maxBodyBytes: 1024,
    onceTimeoutMs: 60_000,
    ui: false,
    ready: () => service.accepting,
    shutdown: new AbortController().signal,
    onError: (error) => errors.push(error),
    ...changes,
  });
  open = app;
  return { app, runtime, service, errors };
}

afterEach(async () => {
  await open?.close();
});

const echo: Answer = (_call, frames) => frames.map((frame) => ({ ...frame, key: 'result' }));

describe('POST <route>', () => {
  it('has no page at / where it is switched off', async () => {
    const { app } = setup(echo);
    expect((await app.inject('/')).statusCode).toBe(404);
  });

  it('answers a body that is not JSON with 400 and what is wrong with it', async () => {
    const { app } = setup(echo);
    const response = await app.inject({ method: 'POST', url: route, payload: '{' });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10000 }, payload: null });
    expect(response.json<{ header: { message: string } }>().header.message).toMatch(
      /^request body is not valid: .*JSON/,
    );
  });

  it('answers a request without a body with 400', async () => {
    const { app } = setup(echo);
    expect((await app.inject({ method: 'POST', url: route })).statusCode).toBe(400);
  });

  it('answers a body beyond the limit with 413', async () => {
    const { app } = setup(echo);
    const response = await app.inject({ method: 'POST', url: route, payload: Buffer.alloc(2000, 0x20) });
    expect(response.statusCode).toBe(413);
    expect(response.json()).toMatchObject({ header: { code: 10000 } });
  });

  it('answers 429 with Retry-After when there is no permit and no place to wait', async () => {
    const hold = gate<readonly never[]>();
    const { app } = setup(() => hold.promise);
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
    const { app, service } = setup(() => hold.promise, { onceTimeoutMs: 5 });
    const response = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(response.statusCode).toBe(504);
    expect(response.json()).toMatchObject({ header: { code: 10102 } });
    expect(service.load.running).toBe(1);
    hold.open([]);
    await service.drain();
    expect(service.load.running).toBe(0);
  });

  it("answers 500 with the plugin's text and code", async () => {
    const { app, errors } = setup(() => {
      throw new AigesError('execFailed', { message: 'bad picture;code=7', pluginCode: 7 });
    });
    const response = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ header: { code: 10909, message: 'bad picture;code=7' } });
    expect(errors).toHaveLength(1);
  });

  it('answers 503 while the service drains', async () => {
    const { app, service } = setup(echo);
    await service.drain();
    const response = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(response.statusCode).toBe(503);
    expect((await app.inject('/readyz')).statusCode).toBe(503);
    expect((await app.inject('/healthz')).statusCode).toBe(200);
  });

  it('answers 400 when the plugin gives an output that the request does not name', async () => {
    const { app, runtime } = setup(() => [textFrame('other', 'x')]);
    const payload = JSON.stringify({ parameter: { echo: { result: {} } } });
    const response = await app.inject({ method: 'POST', url: route, payload });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10106 } });
    expect(runtime.outputsAlive).toBe(0);
  });

  it('gives all outputs with the types of the plugin when the request names none', async () => {
    const { app, runtime } = setup(() => [
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
    const { app } = setup(echo);
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
    const { app } = setup((call) => {
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
    const { app } = setup(echo);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', 'abc', ';;']) {
      const headers = { 'content-type': type };
      expect((await app.inject({ method: 'POST', url: route, payload: '{}', headers })).statusCode).toBe(200);
    }
  });

  it('refuses delivery through a message broker', async () => {
    const { app, runtime } = setup(echo);
    const response = await app.inject({ method: 'POST', url: route, payload: '{"header":{"downMethod":"async"}}' });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10106 } });
    expect(runtime.calls).toBe(0);
  });

  it('tells the plugin when the client leaves', async () => {
    const left = gate<unknown>();
    const { app, service } = setup(
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

describe('other paths', () => {
  it('answers an unknown path with 404 and the routes there are', async () => {
    const { app } = setup(echo);
    const response = await app.inject('/v1/private/nope');
    expect(response.statusCode).toBe(404);
    expect(response.body).toContain(`POST ${route}`);
  });

  it('answers probes', async () => {
    const { app } = setup(echo);
    expect((await app.inject('/healthz')).json()).toEqual({ status: 'ok' });
    expect((await app.inject('/readyz')).json()).toEqual({ status: 'ready' });
  });
});
