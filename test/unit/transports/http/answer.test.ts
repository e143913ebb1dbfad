import { request } from 'node:http';
import type { LightMyRequestResponse } from 'fastify';
import { describe, expect, it } from 'vitest';
import { DataType } from '../../../../src/core/frame.js';
import { body, descriptor } from '../../../fixtures/descriptors.js';
import { eventually } from '../../../fixtures/eventually.js';
import { type Answer, textFrame } from '../../../fixtures/fake-runtime.js';
import { listen, route, setup, type Setup } from '../../../fixtures/http-server.js';

const bytes = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]);
const png = textFrame('image', '', { data: bytes, type: DataType.image, desc: new Map([['encoding', 'png']]) });
const picture: Answer = () => [png];

const post = ({ app }: Setup, accept: string, payload = '{}'): Promise<LightMyRequestResponse> =>
  app.inject({ method: 'POST', url: route, payload, headers: { accept } });

describe('an answer as bytes', () => {
  it('is refused with 406 before the plugin works when it declares several outputs', async () => {
    const server = await setup(picture, { descriptor: descriptor({ outputs: [body('image'), body('text')] }) });
    const response = await post(server, 'image/*');
    expect(response.statusCode).toBe(406);
    expect(response.json()).toMatchObject({ header: { code: 10003 } });
    expect(response.json<{ header: { message: string } }>().header.message).toContain('"image", "text"');
    expect(server.runtime.calls).toBe(0);
  });

  it('is refused with 406 when the request names several outputs', async () => {
    const server = await setup(picture);
    const response = await post(server, 'image/*', '{"parameter":{"echo":{"image":{},"text":{}}}}');
    expect(response.statusCode).toBe(406);
    expect(server.runtime.calls).toBe(0);
  });

  it.each([[[]], [[png, textFrame('text', 'x')]]])(
    'is refused with 406 when the plugin gives another number',
    async (frames) => {
      const server = await setup(() => frames);
      const response = await post(server, 'image/*');
      expect(response.statusCode).toBe(406);
      expect(server.runtime.outputsAlive).toBe(0);
    },
  );

  it('is refused with 406 in forms that there are not', async () => {
    const server = await setup(picture);
    const response = await post(server, 'text/html');
    expect(response.statusCode).toBe(406);
    expect(response.body).toContain('application/json, text/event-stream');
    expect(server.runtime.calls).toBe(0);
  });

  it('tells about failures in JSON', async () => {
    const response = await post(await setup(picture), 'image/png', '{');
    expect(response.statusCode).toBe(400);
    expect(response.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-aiges-code': '10000',
    });
    expect(response.json()).toMatchObject({ header: { code: 10000 } });
  });

  it.each(['image/*', 'application/octet-stream', 'image/webp;q=0.9, application/json;q=0.1'])(
    'is the one output as it is, for %s',
    async (accept) => {
      const server = await setup(picture);
      const response = await post(server, accept);
      expect(response.statusCode).toBe(200);
      expect(response.rawPayload).toEqual(bytes);
      expect(response.headers).toMatchObject({
        'content-type': 'image/png',
        'content-length': '6',
        'x-aiges-code': '0',
        'x-content-type-options': 'nosniff',
      });
      expect(response.headers['x-aiges-sid']).toMatch(/^[\da-f-]{36}$/);
      await eventually(() => server.runtime.outputsAlive).toBe(0);
    },
  );

  it('is of the type that the request asked the plugin for', async () => {
    const server = await setup(() => [textFrame('result', '{"digit":7}')]);
    const response = await post(server, 'text/*', '{"parameter":{"echo":{"result":{"format":"json"}}}}');
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.body).toBe('{"digit":7}');
  });

  it('may be empty', async () => {
    const response = await post(await setup(() => [textFrame('result', '')]), 'text/plain');
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-length']).toBe('0');
  });

  it('keeps its memory until it is out, and gives it back when its client leaves instead', async () => {
    const data = Buffer.alloc(64 << 20, 7);
    const server = await setup(() => [textFrame('result', '', { data, type: DataType.other })]);
    const port = await listen(server);
    const answer = await new Promise<{ bytes: number }>((resolve, reject) => {
      const call = request({ port, path: route, method: 'POST', headers: { accept: 'video/*' } }, (response) => {
        let received = 0;
        expect(server.runtime.outputsAlive).toBe(1);
        response.on('data', (chunk: Buffer) => (received += chunk.length));
        response.on('end', () => {
          resolve({ bytes: received });
        });
      });
      call.on('error', reject);
      call.end('{}');
    });
    expect(answer.bytes).toBe(data.length);
    await eventually(() => server.runtime.outputsAlive).toBe(0);

    const call = request({ port, path: route, method: 'POST', headers: { accept: 'video/*' } }, (response) => {
      response.on('error', () => undefined);
      expect(server.runtime.outputsAlive).toBe(1);
      call.destroy();
    });
    call.on('error', () => undefined);
    call.end('{}');
    await eventually(() => server.requests.length).toBe(2);
    expect(server.requests[1]).toMatchObject({ status: 200, complete: false });
    await eventually(() => server.runtime.outputsAlive).toBe(0);
  });

  it('gives memory of an engine back at once', async () => {
    const server = await setup(picture);
    let released = 0;
    server.runtime.once = () => Promise.resolve({ frames: [png], leased: true, release: () => released++ });
    let inTime = false;
    server.app.addHook('onSend', (_request, _reply, _payload, done) => {
      inTime = released === 1;
      done();
    });
    expect((await post(server, 'image/*')).rawPayload).toEqual(bytes);
    expect(inTime).toBe(true);
  });
});

describe('an answer in JSON', () => {
  it('names its session and its code in headers too', async () => {
    const response = await post(await setup(picture), '*/*');
    const { sid } = response.json<{ header: { sid: string } }>().header;
    expect(response.headers).toMatchObject({ 'x-aiges-sid': sid, 'x-aiges-code': '0' });
  });
});
