import type { LightMyRequestResponse } from 'fastify';
import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../../../src/core/descriptor.js';
import { DataType } from '../../../../src/core/frame.js';
import { RequestCheck } from '../../../../src/schema/request-check.js';
import { describeService } from '../../../../src/schema/service-schema.js';
import type { Endpoint } from '../../../../src/transports/json/endpoint.js';
import type { Answer } from '../../../fixtures/fake-runtime.js';
import { body, descriptor, param } from '../../../fixtures/descriptors.js';
import { form, type FormPart } from '../../../fixtures/forms.js';
import { route, setup, type Setup, type SetupChanges } from '../../../fixtures/http-server.js';

interface Seen {
  readonly params: Record<string, string>;
  readonly inputs: readonly {
    readonly key: string;
    readonly type: number;
    readonly data: string;
    readonly desc: Record<string, string>;
  }[];
}

/** A service that remembers what it got. */
async function recording(changes: SetupChanges = {}): Promise<Setup & { seen: () => Seen | undefined }> {
  let seen: Seen | undefined;
  const answer: Answer = ({ params }, frames) => {
    seen = {
      // These two come from headers.
      params: Object.fromEntries([...params].filter(([name]) => name !== 'sid' && name !== 'appid')),
      inputs: frames.map(({ key, type, data, desc }) => ({
        key,
        type,
        data: Buffer.from(data).toString('latin1'),
        desc: Object.fromEntries(desc),
      })),
    };
    return [];
  };
  return { ...(await setup(answer, changes)), seen: () => seen };
}

const post = (
  { app }: Setup,
  payload: string | Buffer,
  contentType: string,
  query = '',
): Promise<LightMyRequestResponse> =>
  app.inject({ method: 'POST', url: route + query, payload, headers: { 'content-type': contentType } });

const postForm = (server: Setup, parts: readonly FormPart[]): Promise<LightMyRequestResponse> =>
  post(server, form(parts), 'multipart/form-data; boundary=x');

const message = (response: LightMyRequestResponse): string =>
  response.json<{ header: { message: string } }>().header.message;

const png = Buffer.from([0x89, 0x50, 0x4e, 0x47]);

const digits = descriptor({
  params: [param('lang'), param('threshold', { type: 'number' }), param('raw', { type: 'boolean' })],
  inputs: [body('img', { type: DataType.image, attributes: { encoding: 'jpg' } })],
});

/** Checks requests against what a service declares, as the loader does. */
function checkOf(declared: Descriptor): Endpoint['check'] {
  const schema = describeService(declared, 'echo');
  const requests = new RequestCheck({ schema: () => schema, unknownFields: 'refuse', onUnknown: () => undefined });
  return requests.check.bind(requests);
}

describe('a raw body', () => {
  it('is refused with 415 when nobody can say what the input is called', async () => {
    const server = await recording();
    const response = await post(server, png, 'image/png');
    expect(response.statusCode).toBe(415);
    expect(message(response)).toMatch(/image\/png.*\[plugin\]\.inputs/);
    expect(server.seen()).toBeUndefined();
  });

  it('is refused with 415 when there are several inputs, and names them', async () => {
    const response = await post(await recording({ inputs: ['a', 'b'] }), png, 'image/png');
    expect(response.statusCode).toBe(415);
    expect(message(response)).toContain('"a", "b"');
  });

  it('of no particular type is refused as what is no JSON, with what to do', async () => {
    const response = await post(await recording(), png, 'application/x-www-form-urlencoded');
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10000 } });
    expect(message(response)).toMatch(/no JSON object.*\[plugin\]\.inputs/);
  });

  it('is refused when it is empty', async () => {
    const response = await post(await recording({ inputs: ['img'] }), '', 'image/png');
    expect(response.statusCode).toBe(400);
    expect(message(response)).toContain('the body is empty');
  });

  it('is refused when a parameter comes twice', async () => {
    const response = await post(await recording({ inputs: ['img'] }), png, 'image/png', '?a=1&a=2');
    expect(response.statusCode).toBe(400);
    expect(message(response)).toContain('parameter "a" comes more than once');
  });

  it('is the one input, of the type that its content type says', async () => {
    const server = await recording({ inputs: ['img'] });
    expect((await post(server, png, 'image/png', '?lang=en&__proto__=x')).statusCode).toBe(200);
    expect(server.seen()).toEqual({
      params: Object.fromEntries([
        ['lang', 'en'],
        ['__proto__', 'x'],
      ]),
      inputs: [{ key: 'img', type: DataType.image, data: png.toString('latin1'), desc: { encoding: 'png' } }],
    });
  });

  it('is of the type that the plugin declares', async () => {
    const server = await recording({ descriptor: digits, check: checkOf(digits) });
    await post(server, png, 'application/octet-stream', '?threshold=0.50&raw=true');
    expect(server.seen()).toEqual({
      // As it was written, checked as the number that it is.
      params: { threshold: '0.50', raw: 'true' },
      inputs: [{ key: 'img', type: DataType.image, data: png.toString('latin1'), desc: {} }],
    });
  });

  it.each([
    ['image/png', { encoding: 'png' }],
    ['image/jpeg', {}],
  ])('has an encoding only where %s is not what the plugin assumes', async (contentType, desc) => {
    const server = await recording({ descriptor: digits });
    await post(server, png, contentType);
    expect(server.seen()?.inputs[0]?.desc).toEqual(desc);
  });

  it('of no particular type is one when it is no JSON object: what curl --data-binary sends', async () => {
    for (const contentType of ['application/x-www-form-urlencoded', 'application/octet-stream', 'text/plain', 'abc']) {
      const server = await recording({ inputs: ['img'] });
      expect((await post(server, png, contentType)).statusCode).toBe(200);
      expect(server.seen()?.inputs[0]?.data).toBe(png.toString('latin1'));
    }
  });

  it('of no particular type stays JSON when it begins like that', async () => {
    for (const contentType of ['application/x-www-form-urlencoded', 'application/octet-stream', 'text/plain', 'abc']) {
      const server = await recording({ inputs: ['img'] });
      const payload = ' \r\n\t{"payload":{"img":{"image":"YWJj"}}}';
      expect((await post(server, payload, contentType)).statusCode).toBe(200);
      expect(server.seen()?.inputs[0]?.data).toBe('abc');
      expect((await post(server, '{', contentType)).statusCode).toBe(400);
    }
  });

  it('that says that it is JSON is never an input', async () => {
    for (const contentType of ['application/json', 'application/vnd.aiges+json; charset=utf-8']) {
      const response = await post(await recording({ inputs: ['img'] }), '[1]', contentType);
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ header: { code: 10000 } });
    }
  });

  it('reaches the plugin without a copy', async () => {
    let chunk: Uint8Array | undefined;
    const { app } = await setup(
      (_call, frames) => {
        chunk = frames[0]?.data;
        return [];
      },
      { inputs: ['img'] },
    );
    let parsed: unknown;
    app.addHook('preHandler', (request, _reply, done) => {
      parsed = request.body;
      done();
    });
    await app.inject({ method: 'POST', url: route, payload: png, headers: { 'content-type': 'image/png' } });
    expect(chunk).toBe(parsed);
  });
});

describe('the query string of a JSON request', () => {
  const payload = JSON.stringify({ payload: { img: { image: png.toString('base64') } } });

  it.each([
    ['described', digits],
    ['not described', null],
  ])('is of no use, and treated as a field that nobody knows, where the service is %s', async (_how, declared) => {
    const schema = declared === null ? describeService(null, 'echo') : describeService(declared, 'echo');
    for (const unknownFields of ['refuse', 'warn', 'ignore'] as const) {
      const reported: string[] = [];
      const requests = new RequestCheck({
        schema: () => schema,
        unknownFields,
        onUnknown: (path) => reported.push(path),
      });
      const server = await recording({ check: requests.check.bind(requests) });
      const response = await post(server, payload, 'application/json', '?threshold=0.5&%24=1');
      expect(response.statusCode).toBe(unknownFields === 'refuse' ? 400 : 200);
      if (unknownFields === 'refuse') {
        expect(message(response)).toContain('query.threshold is no field of this service');
      }
      expect(reported).toEqual(unknownFields === 'warn' ? ['query.threshold', 'query["$"]'] : []);
    }
  });
});

describe('a body that is encoded', () => {
  it.each(['gzip', 'br, identity', 'GZIP', 'aws-chunked'])('as %s is refused with 415', async (encoding) => {
    const server = await recording({ inputs: ['img'] });
    const headers = { 'content-type': 'image/png', 'content-encoding': encoding };
    const response = await server.app.inject({ method: 'POST', url: route, payload: png, headers });
    expect(response.statusCode).toBe(415);
    expect(response.headers['accept-encoding']).toBe('identity');
    expect(message(response)).toContain(`Content-Encoding "${encoding}"`);
    expect(server.seen()).toBeUndefined();
  });

  it.each(['identity', 'Identity', ''])('as "%s" is not', async (encoding) => {
    const server = await recording({ inputs: ['img'] });
    const headers = { 'content-type': 'image/png', 'content-encoding': encoding };
    const response = await server.app.inject({ method: 'POST', url: route, payload: png, headers });
    expect(response.statusCode).toBe(200);
    expect(response.headers).not.toHaveProperty('accept-encoding');
  });
});

describe('a form', () => {
  it('is refused when it is none', async () => {
    const response = await post(await recording(), 'nonsense', 'multipart/form-data; boundary=x');
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10000 } });
  });

  it('is refused with the name of a file that is no input, and with the inputs that there are', async () => {
    const server = await recording({ descriptor: digits, inputs: ['img'] });
    const response = await postForm(server, [{ name: 'image', data: png, filename: 'a.png' }]);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code: 10009 } });
    expect(message(response)).toMatch(/part "image".*"img"/);
    expect(server.runtime.calls).toBe(0);
  });

  it('is refused with the name of a field that is neither input nor parameter', async () => {
    const response = await postForm(await recording({ descriptor: digits }), [{ name: 'langs', data: 'en' }]);
    expect(response.statusCode).toBe(400);
    expect(message(response)).toMatch(/part "langs".*"img".*"lang", "threshold", "raw"/);
  });

  it('is refused when a part comes twice', async () => {
    const file = { name: 'img', data: png, filename: 'a.png' };
    const response = await postForm(await recording(), [file, file]);
    expect(response.statusCode).toBe(400);
    expect(message(response)).toContain('input "img" comes more than once');
    const field = { name: 'lang', data: 'en' };
    const other = await postForm(await recording(), [field, field]);
    expect(other.statusCode).toBe(400);
    expect(message(other)).toContain('parameter "lang" comes more than once');
  });

  it('is refused when a parameter is not in UTF-8, with its name', async () => {
    const server = await recording({ inputs: ['text'] });
    const response = await postForm(server, [{ name: 'lang', data: Buffer.from([0xe9, 0x6e]) }]);
    expect(response.statusCode).toBe(400);
    expect(message(response)).toContain('part "lang" is a parameter, but not in UTF-8');
    expect(server.runtime.calls).toBe(0);
    // An input is bytes.
    expect((await postForm(server, [{ name: 'text', data: Buffer.from([0xe9]) }])).statusCode).toBe(200);
  });

  it('may have an input and a parameter of one name', async () => {
    const named = descriptor({ params: [param('text')], inputs: [body('text')] });
    const server = await recording({ descriptor: named });
    await postForm(server, [
      { name: 'text', data: 'input', filename: 'a.txt' },
      { name: 'text', data: 'parameter' },
    ]);
    expect(server.seen()).toMatchObject({ params: { text: 'parameter' }, inputs: [{ key: 'text', data: 'input' }] });
    await post(server, 'raw', 'text/plain', '?text=parameter');
    expect(server.seen()).toMatchObject({ params: { text: 'parameter' }, inputs: [{ key: 'text', data: 'raw' }] });
  });

  it('is refused when an input is in its document too', async () => {
    const response = await postForm(await recording({ descriptor: digits }), [
      { name: 'request', data: '{"payload":{"img":{"image":"YWJj"}}}' },
      { name: 'img', data: png, filename: 'a.png' },
    ]);
    expect(response.statusCode).toBe(400);
    expect(message(response)).toContain('payload.img.image');
  });

  it.each(['{', '[]', '{"payload":5}', '{"payload":{"img":5}}', '{"parameter":{"echo":[]}}'])(
    'is refused when its document is %s',
    async (document) => {
      const response = await postForm(await recording(), [
        { name: 'request', data: document },
        { name: 'img', data: png, filename: 'a.png' },
        { name: 'lang', data: 'en' },
      ]);
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ header: { code: 10000 } });
    },
  );

  it('has parameters in the query string too, checked as its fields are', async () => {
    const server = await recording({ descriptor: digits, check: checkOf(digits) });
    const send = (query: string, fields: readonly FormPart[] = []): Promise<LightMyRequestResponse> =>
      post(
        server,
        form([{ name: 'img', data: png, filename: 'a.png' }, ...fields]),
        'multipart/form-data; boundary=x',
        query,
      );
    expect((await send('?threshold=abc')).statusCode).toBe(400);
    expect(message(await send('?unheard=1'))).toContain('parameter.echo.unheard is no field of this service');
    expect(message(await send('?lang=en', [{ name: 'lang', data: 'zh' }]))).toContain(
      'parameter "lang" comes more than once',
    );
    expect(server.seen()).toBeUndefined();
    expect((await send('?threshold=0.5', [{ name: 'lang', data: 'zh' }])).statusCode).toBe(200);
    expect(server.seen()?.params).toEqual({ threshold: '0.5', lang: 'zh' });
  });

  it('has inputs, parameters, and a document that they are added to', async () => {
    const server = await recording({ descriptor: digits });
    const response = await postForm(server, [
      { name: 'img', data: png, filename: 'a.png', type: 'image/png' },
      { name: 'threshold', data: 'high' },
      {
        name: 'request',
        data: '{"parameter":{"echo":{"lang":"en"}},"payload":{"img":{"encoding":"apng","width":28}}}',
        type: 'application/json',
      },
    ]);
    expect(response.statusCode).toBe(200);
    expect(server.seen()).toEqual({
      params: { lang: 'en', threshold: 'high' },
      inputs: [
        { key: 'img', type: DataType.image, data: png.toString('latin1'), desc: { encoding: 'apng', width: '28' } },
      ],
    });
  });

  it.each([
    ['nothing else', []],
    ['a parameter', [{ name: 'threshold', data: '0.5' }]],
  ])('keeps the parameters of its document, whatever that calls the service, and adds %s', async (_what, fields) => {
    const declared = descriptor({
      params: [param('lang', { fallback: 'zh' }), param('threshold', { type: 'number' })],
      inputs: [body('img', { type: DataType.image })],
    });
    const server = await recording({ descriptor: declared, check: checkOf(declared) });
    const response = await postForm(server, [
      { name: 'request', data: '{"parameter":{"ours":{"lang":"en"}}}' },
      { name: 'img', data: png, filename: 'a.png' },
      ...fields,
    ]);
    expect(response.statusCode).toBe(200);
    expect(server.seen()?.params).toEqual({
      lang: 'en',
      ...Object.fromEntries(fields.map(({ name, data }) => [name, data])),
    });
  });

  it('takes files for inputs and fields for parameters where nothing is known', async () => {
    const server = await recording();
    await postForm(server, [
      { name: 'sound', data: 'pcm', filename: 'a.pcm', type: 'audio/L16' },
      { name: 'blob', data: 'x', filename: 'blob', type: 'application/octet-stream' },
      { name: 'lang', data: 'en' },
    ]);
    expect(server.seen()).toEqual({
      params: { lang: 'en' },
      inputs: [
        { key: 'sound', type: DataType.audio, data: 'pcm', desc: {} },
        { key: 'blob', type: DataType.other, data: 'x', desc: {} },
      ],
    });
  });

  it('takes a field for an input that has its name', async () => {
    const server = await recording({ inputs: ['text'] });
    await postForm(server, [{ name: 'text', data: 'hello' }]);
    expect(server.seen()?.inputs).toEqual([{ key: 'text', type: DataType.text, data: 'hello', desc: {} }]);
  });
});
