import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureEngine } from '../fixtures/engines.js';
import { FileGate } from '../fixtures/file-gate.js';
import { form } from '../fixtures/forms.js';
import { type HostChanges, type RunningHost, startHost } from '../fixtures/host.js';
import { expectNothingLeft } from '../fixtures/loader.js';

/** Every fact about the HTTP gateway in loader-protocol §5 that a client can observe, and its vectors of §10. */
const rows = {
  '5.1 post': 'POST on the route is a one-shot call',
  '5.1 mode': 'a service is one-shot or a stream, never both',
  '5.1 openapi': '/openapi.json',
  '5.1 swagger': 'a page about it; other methods than GET are refused',
  '5.1 ping': '/ping is a WebSocket and no use as a probe',
  '5.1 other': 'other paths are 404',
  '5.1 options': 'no OPTIONS',
  '5.1 bind': 'an address in use is passed over',
  '5.1 limits': 'bodies and times have no limit',
  '5.1 C': 'C engines have no routes',
  '5.3 type': 'the content type does not matter',
  '5.3 trailing': 'data after the JSON value is ignored',
  '5.3 sections': 'unknown sections are ignored, missing ones allowed',
  '5.3 objects': 'parameter and payload are objects of objects, else 10000',
  '5.3 sid': 'sid is a fresh UUID, and the handle',
  '5.3 params': 'scalars of all services are parameters; arrays and null are dropped',
  '5.3 expect': 'objects are expected outputs: encoding, format, compress are repeated',
  '5.3 data_type': 'data_type of an expected output has to be that of the output',
  '5.3 base64': 'data is base64 in the standard alphabet, padded, with line breaks or without',
  '5.3 structured': 'objects and arrays are handed on as JSON',
  '5.3 other data': 'other data is an error',
  '5.3 status': 'status is a number',
  '5.3 attributes': 'everything else is an attribute, as text',
  '5.3 no data': 'without data it is empty text',
  '5.3 waitTime': 'a call has 120 s',
  '5.4 document': 'code 0, sid, status of the output; attributes are strings; a line break at the end',
  '5.4 text': 'text as it is, with U+FFFD for what is no UTF-8',
  '5.4 binary': 'everything else in base64',
  '5.4 headers': 'application/json, and Access-Control-* for everybody',
  '5.5 scalars': 'how scalars become text',
  '5.5 structured': 'how objects and arrays become text',
  '5.6 status': 'every error is 500',
  '5.6 10000': 'not decodable',
  '5.6 10001': 'not convertible',
  '5.6 loader': 'otherwise code and text of the loader',
  '5.7 openapi': 'the document',
  'vector 11': 'the example of the README',
  'vector 12': 'bodies that are refused',
  'vector 13': 'numbers as text',
} as const;

type Row = keyof typeof rows;

/** Rows with a test of their own below. */
const separate: ReadonlySet<Row> = new Set<Row>(['5.1 bind']);

const setups = {
  usual: {},
  oneLicence: { service: { maxConcurrent: 1 }, limits: { queue: 0 } },
  hurried: { limits: { onceTimeoutMs: 50 } },
  oneInput: { service: { inputs: ['img'] } },
  small: { http: { maxBodyBytes: 64 } },
  legacy: { http: { legacyErrors: true } },
  shared: { http: { cors: ['*'] } },
} as const satisfies Readonly<Record<string, HostChanges>>;

interface Case {
  readonly name: string;
  readonly covers: readonly Row[];
  readonly on?: keyof typeof setups;
  /** Where we answer otherwise than the original did, and why. */
  readonly deviation?: string;
  readonly request: Request;
  /** The plugin does not return before the reply is there. */
  readonly held?: true;
  readonly reply: Reply;
}

interface Request {
  readonly method?: string;
  /** That of the service when absent. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON unless it is text or bytes. */
  readonly body?: unknown;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | RegExp | null>>;
  /** Of the body; the sid of a document is compared with the header. */
  readonly json?: unknown;
  readonly text?: string | RegExp;
}

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const failed = (code: number, message: RegExp): unknown => ({
  header: { code, message: expect.stringMatching(message) as unknown, sid: expect.any(String) as unknown },
  payload: null,
});
const said = (text: string | RegExp): unknown => ({
  header: { code: 0, sid: expect.any(String) as unknown, status: 3 },
  payload: {
    result: { seq: '0', status: '3', text: typeof text === 'string' ? text : (expect.stringMatching(text) as unknown) },
  },
});
/** What the plugin got for input: key, type, status, length and attributes. */
const describeInput = (payload: object): Request => ({ body: { parameter: { svc: { do: 'describe' } }, payload } });

const proper = 'errors have a status of their own';

const cases: readonly Case[] = [
  {
    name: 'the example of the README',
    covers: ['vector 11', '5.1 post', '5.1 C', '5.3 expect', '5.4 document', '5.4 text', '5.4 headers'],
    deviation: 'C engines are served, and pages of other origins are let in only where the configuration says so',
    request: {
      headers: { origin: 'https://app.example.com' },
      body: {
        header: { appid: 'demo' },
        parameter: { svc: { result: { encoding: 'utf8', compress: 'raw', format: 'plain', data_type: 'text' } } },
        payload: { img: { image: base64('a digit'), encoding: 'png', status: 3 } },
      },
    },
    reply: {
      status: 200,
      headers: { 'content-type': /^application\/json/, 'access-control-allow-origin': null },
      json: {
        header: {
          code: 0,
          sid: expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/) as unknown,
          status: 3,
        },
        payload: {
          result: { compress: 'raw', encoding: 'utf8', format: 'plain', seq: '0', status: '3', text: 'a digit' },
        },
      },
      text: /\}\n$/,
    },
  },
  ...(
    [
      ['{', 10000, /JSON/, ['vector 12', '5.6 10000']],
      ['', 10000, /JSON/, ['5.6 10000']],
      ['[]', 10000, /the body must be an object/, ['5.6 10000']],
      [Buffer.from([0x7b, 0xff, 0x7d]), 10000, /UTF-8/, ['5.6 10000']],
      [
        { payload: { a: { text: '###' } } },
        10001,
        /payload\.a\.text is not base64/,
        ['vector 12', '5.3 base64', '5.6 10001'],
      ],
      [{ payload: { a: { text: 'YQ' } } }, 10001, /padded/, ['5.3 base64']],
      [{ payload: { a: { text: 5 } } }, 10001, /^not support type of payload/, ['vector 12', '5.3 other data']],
      [{ payload: { a: { image: true } } }, 10001, /^not support type of payload/, ['5.3 other data']],
      [{ payload: { a: { text: null } } }, 10001, /^not support type of payload/, ['5.3 other data']],
      [{ payload: [] }, 10000, /payload must be an object/, ['5.3 objects']],
      [{ payload: { a: 'x' } }, 10000, /payload\.a must be an object/, ['5.3 objects']],
      [{ parameter: 5 }, 10000, /parameter must be an object/, ['5.3 objects']],
      [{ parameter: { svc: [] } }, 10000, /parameter\.svc must be an object/, ['5.3 objects']],
      [{ payload: { a: { status: 'done' } } }, 10001, /payload\.a\.status must be 0, 1, 2 or 3/, ['5.3 status']],
    ] as const
  ).map(([body, code, message, covers]): Case => ({
    name: `refuses ${Buffer.isBuffer(body) ? 'broken UTF-8' : JSON.stringify(body)}`,
    covers: [...covers, '5.6 status'],
    deviation: proper,
    request: { body },
    reply: { status: 400, headers: { 'x-aiges-code': String(code) }, json: failed(code, message) },
  })),
  {
    name: 'refuses data after the JSON value',
    covers: ['5.3 trailing'],
    deviation: 'what follows is a mistake of the client, which nobody would find',
    request: { body: '{} {}' },
    reply: { status: 400, json: failed(10000, /JSON/) },
  },
  {
    name: 'refuses attributes of an expected output that are not text',
    covers: ['5.3 expect'],
    deviation: 'the original panicked',
    request: { body: { parameter: { svc: { result: { encoding: 5 } } } } },
    reply: { status: 400, json: failed(10001, /parameter\.svc\.result\.encoding must be a string/) },
  },
  {
    name: 'refuses an output of another type than the client insists on',
    covers: ['5.3 data_type', '5.6 loader'],
    deviation: proper,
    request: { body: { parameter: { svc: { do: 'reply', result: { data_type: 'image' } } } } },
    reply: { status: 400, json: failed(10106, /^wrapper output data invalid\(key or type\)/) },
  },
  {
    name: 'takes the type of the plugin where the client insists on none',
    covers: ['5.3 data_type'],
    deviation: 'a missing data_type meant "other", so that the example without it was answered 10106',
    request: { body: { parameter: { svc: { do: 'reply', text: 'x', result: {} } } } },
    reply: { status: 200, json: said('x') },
  },
  {
    name: 'refuses a data_type that there is not',
    covers: ['5.3 data_type'],
    deviation: 'it meant "other"',
    request: { body: { parameter: { svc: { result: { data_type: 'txt' } } } } },
    reply: { status: 400, json: failed(10001, /parameter\.svc\.result\.data_type must be one of text, audio/) },
  },
  {
    name: 'refuses an output that the client does not name',
    covers: ['5.6 loader'],
    deviation: proper,
    request: { body: { parameter: { svc: { do: 'reply', other: {} } } } },
    reply: { status: 400, json: failed(10106, /^wrapper output data is nil/) },
  },
  {
    name: 'tells what the plugin says about its failure',
    covers: ['5.6 loader'],
    request: { body: { parameter: { svc: { do: 'refuse', code: 10013 } } } },
    reply: { status: 500, json: failed(10909, /;code=10013$/) },
  },
  {
    name: 'gives a call its time',
    covers: ['5.3 waitTime', '5.1 limits', '5.6 loader'],
    on: 'hurried',
    deviation: 'the time is configured, and its end has status 504',
    request: {},
    held: true,
    reply: { status: 504, json: failed(10102, /timeout/) },
  },
  {
    name: 'takes bodies up to a limit',
    covers: ['5.1 limits'],
    on: 'small',
    deviation: 'there was none',
    request: { body: { header: { padding: 'x'.repeat(100) } } },
    reply: { status: 413, json: failed(10000, /too large/) },
  },
  ...[
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'nonsense',
  ].map((type): Case => ({
    name: `takes JSON as ${type}`,
    covers: ['5.3 type'],
    request: { headers: { 'content-type': type }, body: '{"parameter":{"svc":{"do":"reply","text":"x"}}}' },
    reply: { status: 200, json: said('x') },
  })),
  {
    name: 'takes forms for what they are',
    covers: ['5.3 type'],
    deviation: 'they were taken for JSON',
    request: {
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: form([
        { name: 'request', data: '{"parameter":{"svc":{"do":"describe"}}}' },
        { name: 'img', data: 'abc', filename: 'a.png', type: 'image/png' },
      ]),
    },
    reply: { status: 200, json: said(/^img 2 3 3 .*desc=encoding=png/) },
  },
  {
    name: 'refuses bodies of other types where nobody has said what the input is called',
    covers: ['5.3 type'],
    deviation: 'they were taken for JSON',
    request: { headers: { 'content-type': 'image/png' }, body: '{}' },
    reply: { status: 415, json: failed(10003, /\[plugin\]\.inputs/) },
  },
  ...['image/png', 'application/x-www-form-urlencoded'].map((type): Case => ({
    name: `takes a body of type ${type} for the input`,
    covers: ['5.3 type'],
    on: 'oneInput',
    deviation: 'it was taken for JSON',
    request: { path: '/v1/private/svc?do=describe', headers: { 'content-type': type }, body: Buffer.from('\x89PNG') },
    reply: {
      status: 200,
      json: said(type === 'image/png' ? /^img 2 3 5 .*desc=encoding=png/ : /^img 4 3 5 .*desc=/),
    },
  })),
  {
    name: 'takes JSON under any type where a body could be the input',
    covers: ['5.3 type'],
    on: 'oneInput',
    request: {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: '\n{"parameter":{"svc":{"do":"reply","text":"x"}}}',
    },
    reply: { status: 200, json: said('x') },
  },
  {
    name: 'ignores sections that it does not know, and needs none',
    covers: ['5.3 sections'],
    request: { body: { business: 1, extra: [], header: null } },
    reply: { status: 200, json: { header: { code: 0, status: 3 } } },
  },
  {
    name: 'merges the parameters of all services, as text',
    covers: ['5.3 params', '5.5 scalars', 'vector 13', '5.3 sid'],
    deviation: 'numbers are plain decimals; "4503599627370496p-52" was 1',
    request: {
      body: {
        header: { sid: 'mine' },
        parameter: {
          svc: { do: 'echoParams', b: true, n: null, l: [1], zero: 0, one: 1, three: 3, half: 0.5, rate: 16000 },
          other: { t: 'text', big: 1e21, neg: -0.25 },
        },
      },
    },
    reply: {
      status: 200,
      json: said(
        /^do=echoParams\nb=true\nzero=0\none=1\nthree=3\nhalf=0\.5\nrate=16000\nt=text\nbig=1000000000000000000000\nneg=-0\.25\nsid=[\da-f-]{36}\n?$/,
      ),
    },
  },
  {
    name: 'has the session for a handle',
    covers: ['5.3 sid'],
    request: { body: { parameter: { svc: { do: 'tag' } } } },
    reply: { status: 200, json: said(/^[\da-f-]{36}$/) },
  },
  {
    name: 'takes base64 with line breaks, and text in base64 too',
    covers: ['5.3 base64'],
    request: { body: { payload: { a: { text: 'aGVs\r\nbG8=' } } } },
    reply: { status: 200, json: said('hello') },
  },
  {
    name: 'hands structured data on as JSON',
    covers: ['5.3 structured'],
    deviation: 'plain JSON: without "\\u003c" for "<" and without a line break',
    request: { body: { payload: { a: { text: { k: ['<', 1] } } } } },
    reply: { status: 200, json: said('{"k":["<",1]}') },
  },
  {
    name: 'makes text of attributes',
    covers: ['5.3 attributes', '5.5 scalars', '5.5 structured', 'vector 13', '5.3 status'],
    deviation: 'numbers are plain decimals, objects and arrays are JSON; they were Go’s own forms of them',
    request: describeInput({
      a: { audio: '', sample_rate: 16000, live: false, none: null, list: [1, 'x'], o: { k: 1 }, status: '2' },
    }),
    reply: {
      status: 200,
      json: said(/^a 1 2 0 .*desc=sample_rate=16000,live=false,none=,list=\[1,"x"\],o=\{"k":1\},status=2/),
    },
  },
  {
    name: 'takes an input without data for empty text',
    covers: ['5.3 no data'],
    request: describeInput({ a: {} }),
    reply: { status: 200, json: said(/^a 0 3 0 /) },
  },
  {
    name: 'replaces what is no UTF-8 in text',
    covers: ['5.4 text'],
    request: { body: { payload: { a: { text: base64(Buffer.from([0x61, 0xff])) } } } },
    reply: { status: 200, json: said('a\ufffd') },
  },
  {
    name: 'sends other data in base64',
    covers: ['5.4 binary'],
    request: { body: { parameter: { svc: { do: 'fill', bytes: 4, outType: 1 } } } },
    reply: {
      status: 200,
      json: { header: { code: 0 }, payload: { result: { seq: '0', status: '3', audio: 'AAECAw==' } } },
    },
  },
  {
    name: 'sends the one output as it is to who asks for that',
    covers: ['5.4 binary'],
    deviation: 'there was only JSON',
    request: {
      headers: { accept: 'image/*' },
      body: { parameter: { svc: { do: 'reply', text: 'PNG', outType: 2, 'desc.encoding': 'png' } } },
    },
    reply: { status: 200, headers: { 'content-type': 'image/png', 'x-aiges-code': '0' }, text: 'PNG' },
  },
  {
    name: 'streams from the same route',
    covers: ['5.1 mode'],
    deviation: 'a service is both',
    request: {
      headers: { accept: 'text/event-stream' },
      body: { parameter: { svc: { results: 2, 'desc.format': 'plain' } }, payload: { a: { text: base64('hi') } } },
    },
    reply: {
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      text: /^event: result\ndata: \{"header":\{"code":0,"sid":"[\da-f-]{36}","status":1\},"payload":\{"result":\{"format":"plain","seq":"1","status":"1","text":"hi"\}\}\}\n\nevent: result\ndata: \{"header":\{"code":0,"sid":"[\da-f-]{36}","status":2\},"payload":\{"result":\{"format":"plain","seq":"2","status":"2","text":"hi"\}\}\}\n\n$/,
    },
  },
  {
    name: 'streams from nothing but parameters',
    covers: ['5.1 mode'],
    deviation: 'a stream had to have a packet of input',
    request: { headers: { accept: 'text/event-stream' }, body: { parameter: { svc: { write: 'fail', code: 7 } } } },
    reply: { status: 500, json: failed(10907, /;code=7$/) },
  },
  ...(
    [
      [{ create: 'fail', code: 5 }, 10905],
      [{ write: 'fail', code: 5 }, 10907],
    ] as const
  ).map(([params, code]): Case => ({
    name: `refuses a stream that fails before it says anything with ${code}`,
    covers: ['5.1 mode', '5.6 loader'],
    deviation: 'there were no streams over HTTP',
    request: {
      headers: { accept: 'text/event-stream' },
      body: { parameter: { svc: params }, payload: { a: { text: '' } } },
    },
    reply: { status: 500, json: failed(code, /;code=5$/) },
  })),
  {
    name: 'has a document about its services',
    covers: ['5.1 openapi', '5.7 openapi'],
    deviation: 'it is OpenAPI 3.1, and valid; the original left out what is mandatory, and had none for C engines',
    request: { method: 'GET', path: '/openapi.json' },
    reply: { status: 200, headers: { 'content-type': /^application\/json/ }, json: { openapi: '3.1.0' } },
  },
  {
    name: 'has a page about it',
    covers: ['5.1 swagger'],
    deviation: 'it is at /docs, and the page is about the document; the original had another one besides',
    request: { method: 'GET', path: '/docs' },
    reply: { status: 200, headers: { 'content-type': /^text\/html/ }, text: /swagger-ui/ },
  },
  {
    name: 'has that page for GET',
    covers: ['5.1 swagger'],
    request: { method: 'POST', path: '/docs' },
    reply: { status: 405, headers: { allow: 'GET' } },
  },
  {
    name: 'has a WebSocket alone at /ping',
    covers: ['5.1 ping'],
    request: { method: 'GET', path: '/ping' },
    reply: { status: 426, headers: { upgrade: 'websocket' } },
  },
  ...['/nowhere', '/v1/private', '/v1/private/svc/'].map((path): Case => ({
    name: `has nothing at ${path}`,
    covers: ['5.1 other'],
    request: { method: 'GET', path },
    reply: { status: 404, json: failed(10003, /POST \/v1\/private\/svc/) },
  })),
  {
    name: 'has probes',
    covers: ['5.1 ping'],
    deviation: 'there were none',
    request: { method: 'GET', path: '/readyz' },
    reply: { status: 200, json: { status: 'ready' } },
  },
  {
    name: 'answers a preflight request where pages of other origins are let in',
    covers: ['5.1 options', '5.4 headers'],
    on: 'shared',
    deviation: 'the headers were there, but no answer to the request that browsers make first',
    request: {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example.com',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    },
    reply: {
      status: 204,
      headers: {
        'access-control-allow-origin': '*',
        'access-control-allow-methods': /POST/,
        'access-control-allow-headers': 'content-type',
      },
    },
  },
  ...(
    [
      ['{', 10000],
      [{ payload: { a: { text: '###' } } }, 10001],
      [{ payload: { a: { text: 5 } } }, 10001],
      [{ parameter: { svc: { do: 'reply', result: { data_type: 'image' } } } }, 10106],
      [{ parameter: { svc: { do: 'refuse' } } }, 10909],
    ] as const
  ).map(([body, code]): Case => ({
    name: `answers ${JSON.stringify(body)} with 500 where it is to be as it was`,
    covers: ['5.6 status', 'vector 12'],
    on: 'legacy',
    request: { body },
    reply: { status: 500, json: failed(code, /./) },
  })),
];

describe('the table', () => {
  it.each((Object.keys(rows) as Row[]).filter((row) => !separate.has(row)))('has a case for %s', (row) => {
    expect(cases.flatMap(({ covers }) => covers)).toContain(row);
  });

  it('names each case once', () => {
    const names = cases.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});

describe.each(['blocking', 'asynchronous'] as const)('HTTP with a %s engine', (engine) => {
  const start = (changes: HostChanges): Promise<RunningHost> =>
    startHost({ ...changes, plugin: { path: fixtureEngine('scripted'), asyncMode: engine === 'asynchronous' } });

  describe.each(Object.keys(setups) as (keyof typeof setups)[])('%s', (setup) => {
    let loader: RunningHost;
    beforeAll(async () => {
      loader = await start(setups[setup]);
    });
    afterAll(async () => {
      expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
      await expectNothingLeft();
    });

    const ours = cases.filter(({ on = 'usual' }) => on === setup);
    if (setup === 'oneLicence') {
      it('refuses a call beyond the licences with 429', () => refuseBeyondLicences(loader));
    } else
      it.each(ours)('$name', ({ request, held, reply }) =>
        held === true ? expectReplyMeanwhile(loader, request, reply) : expectReply(loader, request, reply),
      );
  });

  it('does not start where its address is in use (the original went on without HTTP)', async () => {
    const first = await start({});
    try {
      const port = first.started.http?.port ?? 0;
      await expect(start({ http: { port } })).rejects.toMatchObject({
        kind: 'initFailed',
        message: expect.stringMatching(/in use.*\[http\]\.listen/) as unknown,
      });
    } finally {
      await first.stop();
    }
  });
});

async function send({ httpUrl }: RunningHost, { method = 'POST', path, headers, body }: Request): Promise<Response> {
  const raw = typeof body === 'string' || Buffer.isBuffer(body) || body === undefined;
  return fetch(httpUrl + (path ?? '/v1/private/svc'), {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
  });
}

async function expectReply(loader: RunningHost, request: Request, reply: Reply): Promise<void> {
  const response = await send(loader, request);
  const text = await response.text();
  expect([response.status, text]).toEqual([reply.status, expect.any(String)]);
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    const found = response.headers.get(name);
    if (value instanceof RegExp) expect(found).toMatch(value);
    else expect([name, found]).toEqual([name, value]);
  }
  if (reply.text !== undefined) expect(text).toMatch(reply.text);
  const sid = response.headers.get('x-aiges-sid');
  expect(sid).toEqual(seenByService(request, response) ? expect.stringMatching(/^[\da-f-]{36}$/) : null);
  if (reply.json === undefined) return;
  const document = JSON.parse(text) as { header?: { sid?: string } };
  expect(document).toMatchObject(reply.json as object);
  if (document.header !== undefined) expect(document.header.sid).toBe(sid ?? '');
}

/** The same while the plugin is inside the call. */
async function expectReplyMeanwhile(loader: RunningHost, request: Request, reply: Reply): Promise<void> {
  const gate = new FileGate();
  try {
    await expectReply(loader, { ...request, body: { parameter: { svc: gate.params } } }, reply);
  } finally {
    gate.remove();
  }
}

/** Whether a service has got the request: docs/http.md says which ones have no session. */
function seenByService({ method = 'POST', path = '/v1/private/svc' }: Request, { status, headers }: Response): boolean {
  const bodyTooLarge = status === 413 && headers.get('x-aiges-code') === '10000';
  return method === 'POST' && path.startsWith('/v1/private/') && ![404, 405].includes(status) && !bodyTooLarge;
}

async function refuseBeyondLicences(loader: RunningHost): Promise<void> {
  const gate = new FileGate();
  try {
    const first = send(loader, { body: { parameter: { svc: gate.params } } });
    await gate.entered();
    for (const accept of ['application/json', 'image/*', 'text/event-stream']) {
      const refused = await send(loader, { headers: { accept }, body: {} });
      expect(refused.status).toBe(429);
      expect(refused.headers.get('retry-after')).toBe('1');
      expect(await refused.json()).toMatchObject(failed(10110, /^service license not enough/) as object);
    }
    gate.open();
    expect((await first).status).toBe(200);
  } finally {
    gate.remove();
  }
}
