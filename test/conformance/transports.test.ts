import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { expectNothingLeft } from '../fixtures/loader.js';
import { pluginNames, type PluginName, pluginOf } from '../fixtures/plugins.js';
import type { Strings } from '../fixtures/protocol.js';
import { StreamClient } from '../fixtures/xsf-client.js';
import { type Answer, type Ask, type Input, type Transport, transports } from './transports.js';

/** One request over every transport to every plugin. What a transport does differently is in the table, with the reason. */
interface Case {
  readonly name: string;
  readonly ask: Ask;
  /** What only the engine "scripted" needs to know to do the same as the wrapper. */
  readonly engineParams?: NonNullable<Ask['params']>;
  /** Every licence is taken by somebody else. */
  readonly crowded?: boolean;
  readonly answer: (plugin: PluginName, transport: Transport) => Expected;
}

type Expected = Refused | Given;

interface Refused {
  readonly code: number;
  readonly message: RegExp;
}

interface Given {
  /** A result for each packet that the transport has. */
  readonly outputs: readonly { readonly name: string; readonly type: string; readonly data: Buffer }[];
  /** Attributes that the engine gives of its own accord. */
  readonly engineAttributes?: Strings;
}

const text = (data: string): Input => ({ name: 'text', type: 'text', data: Buffer.from(data) });
const image = (data: Buffer): Input => ({ name: 'image', type: 'image', data, attributes: { encoding: 'png' } });
const refused = (code: number, message: RegExp): Refused => ({ code, message });
const said = (...data: readonly string[]): Given => ({
  outputs: data.map((each) => ({ name: 'result', type: 'text', data: Buffer.from(each) })),
});

const asText = { result: { data_type: 'text', encoding: 'utf-8' } };
const asImage = { image: { data_type: 'image', encoding: 'bmp' } };

/** The request, echoed. */
const echoed = (name: string, ...packets: readonly string[]): Case => ({
  name,
  ask: { expect: asText, packets: packets.map((packet) => [text(packet)]) },
  // A transport without packets has the whole input in one piece (docs/http.md).
  answer: (_, { kind }) => (kind === 'packets' ? said(...packets) : said(packets.join(''))),
});

const bytes = (name: string, data: Buffer): Case => ({
  name,
  ask: { expect: asImage, packets: [[image(data)]] },
  engineParams: { outKey: 'image', outType: 2 },
  answer: () => ({ outputs: [{ name: 'image', type: 'image', data }] }),
});

const cases: readonly Case[] = [
  echoed('a small text', 'hello'),
  echoed('nothing at all', ''),
  echoed('text of every kind', 'grüße 你好 😀 \u0000 "\\" \r\n\u2028'),
  echoed('1 MiB of text', 'äé'.repeat(1 << 18)),
  echoed('a stream of several packets', 'eins ', 'zwei ', 'drei ', 'vier'),
  bytes('every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))),
  bytes('1 MiB of bytes', Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, at) => at % 251))),
  {
    name: 'two inputs',
    ask: {
      params: { do: 'describe' },
      expect: asText,
      packets: [[text('abc'), { ...image(Buffer.from('xy')), attributes: { encoding: 'png', width: '2' } }]],
    },
    engineParams: { write: 'describe' },
    answer: (plugin) =>
      plugin === 'wrapper'
        ? said('text 3, image 2, encoding=png, width=2, status=3')
        : said('text 0 3 3 desc=status=3\nimage 2 3 2 desc=encoding=png,width=2,status=3\n'),
  },
  {
    name: 'parameters, and the defaults of those that a wrapper declares',
    ask: { params: { do: 'params', shade: 'dark', share: 0.5 }, expect: asText, packets: [[text('abc')]] },
    engineParams: { do: 'echo', 'desc.shade': 'dark', 'desc.share': 0.5 },
    answer: (plugin) =>
      plugin === 'wrapper'
        ? said('shade=dark share=0.5 level=3')
        : { ...said('abc'), engineAttributes: { shade: 'dark', share: '0.5' } },
  },
  {
    name: 'a request that names no outputs',
    ask: { packets: [[text('abc')]] },
    // docs/xsf.md: a call names what it expects.
    answer: (_, { over }) => (over === 'xsf' ? refused(10106, /^wrapper output data/) : said('abc')),
  },
  {
    name: 'an output that does not exist',
    ask: { expect: { nothing: { data_type: 'text' } }, packets: [[text('abc')]] },
    answer: () => refused(10106, /^wrapper output data/),
  },
  {
    name: 'an output of another type than expected',
    ask: { expect: { result: { data_type: 'image' } }, packets: [[text('abc')]] },
    answer: () => refused(10106, /^wrapper output data invalid\(key or type\)/),
  },
  {
    name: 'a plugin that fails',
    ask: { params: { do: 'fail', code: 7 }, expect: asText, packets: [[text('abc')]] },
    engineParams: { write: 'fail' },
    // The code says which function of the plugin it was. A wrapper's stream has none but the one that gives results.
    answer: (plugin, { kind }) => {
      const once = plugin === 'asynchronous' ? 10910 : 10909;
      const stream = plugin === 'wrapper' ? 10908 : 10907;
      return refused(kind === 'call' ? once : stream, /;code=7$/);
    },
  },
  ...[10, 'loud'].map((level): Case => ({
    name: `a parameter that the wrapper does not allow: ${level}`,
    ask: { params: { level }, expect: asText, packets: [[text('abc')]] },
    answer: (plugin) => (plugin === 'wrapper' ? refused(10009, /^input invalid data: .*level/) : said('abc')),
  })),
  {
    name: 'a parameter that the wrapper does not know',
    ask: { params: { levle: 5 }, expect: asText, packets: [[text('abc')]] },
    // docs/http.md, "Forms": a part that is neither an input nor a parameter is refused.
    answer: (plugin, { name }) =>
      plugin === 'wrapper' && name === 'a form over HTTP' ? refused(10009, /part "levle"/) : said('abc'),
  },
  {
    name: 'no licence',
    ask: { expect: asText, packets: [[text('abc')]] },
    crowded: true,
    answer: () => refused(10110, /^service license not enough/),
  },
];

const licences = 4;

/** Data as a failed test can show it. */
function shown(data: Buffer): string {
  return data.length < 200 ? data.toString('latin1') : createHash('sha256').update(data).digest('hex');
}

describe.each(pluginNames)('a request to a plugin: %s', (plugin) => {
  let host: RunningHost;
  beforeAll(async () => {
    const service = { maxConcurrent: licences };
    host = await startHost({ ...pluginOf(plugin, 'same'), service, limits: { queue: 0 } });
  });
  afterAll(async () => {
    expect(await host.stop()).toEqual({ stuck: 0, ended: true });
    await expectNothingLeft();
  });

  describe.each(transports)('over $name', (transport) => {
    it.each(cases)('$name', async (each) => {
      const params = { ...each.ask.params, ...(plugin === 'wrapper' ? {} : each.engineParams) };
      const others = each.crowded === true ? await takeLicences(host) : [];
      const answer = await transport.ask(host, { ...each.ask, params }).finally(async () => {
        for (const other of others) await other.abort();
      });
      expect(comparable(answer)).toEqual(expectedOf(each, plugin, transport));
    });
  });
});

/** More than a runtime has under way at a time. */
const manyPackets = Array.from({ length: 30 }, (_, n) => `packet ${n} `);

describe.each(pluginNames)('a stream of many packets to a plugin: %s', (plugin) => {
  describe.each([true, false])('with realTimeRlt = %s', (realTime) => {
    let host: RunningHost;
    beforeAll(async () => {
      const streams = { ttlMs: 15_000, rollMs: 5_000, realTime, gapMs: 5_000, maxPackets: 1000 };
      host = await startHost({ ...pluginOf(plugin, 'same'), service: { streams } });
    });
    afterAll(async () => {
      expect(await host.stop()).toEqual({ stuck: 0, ended: true });
      await expectNothingLeft();
    });

    it.each(transports.filter(({ kind }) => kind === 'packets'))('over $name', async (transport) => {
      const many = echoed('', ...manyPackets);
      expect(comparable(await transport.ask(host, many.ask))).toEqual(expectedOf(many, plugin, transport));
    });
  });
});

async function takeLicences({ client }: RunningHost): Promise<StreamClient[]> {
  const streams = Array.from({ length: licences }, () => new StreamClient(client));
  for (const stream of streams) expect((await stream.create()).output?.code).toBe(0);
  return streams;
}

/** Without where data lies in memory, which the engine tells too. */
function comparable(answer: Answer): unknown {
  if (answer.code !== 0 || !('outputs' in answer)) return answer;
  const outputs = answer.outputs.map((output) => ({
    ...output,
    data: shown(Buffer.from(output.data.toString('latin1').replace(/ aligned=\d+| nul=\w+/g, ''), 'latin1')),
  }));
  return { ...answer, outputs };
}

function expectedOf({ ask, answer }: Case, plugin: PluginName, transport: Transport): unknown {
  const expected = answer(plugin, transport);
  if (!('outputs' in expected)) {
    return { code: expected.code, message: expect.stringMatching(expected.message) as unknown };
  }
  const { outputs, engineAttributes = {} } = expected;
  const statuses = outputs.map((_, index) => statusOf(index, outputs.length, plugin, transport));
  return {
    code: 0,
    status: statuses.at(-1),
    outputs: outputs.map(({ name, type, data }, index) => {
      const named = { ...ask.expect?.[name] };
      delete named['data_type'];
      const own = plugin === 'wrapper' ? ownAttributes[type] : engineAttributes;
      return {
        name,
        type,
        data: shown(data),
        attributes: {
          // docs/xsf.md: the answer to a one-shot call has the attributes that it expects, and no others.
          ...(transport.name === 'xsf' ? {} : own),
          ...named,
          // docs/http.md, docs/websocket.md, docs/xsf.md: results of a stream are counted from 1.
          seq: String(transport.kind === 'call' ? 0 : index + 1),
          status: String(statuses[index]),
        },
      };
    }),
  };
}

/** What a wrapper declares by declaring outputs of these types. */
const ownAttributes: Readonly<Record<string, Strings>> = {
  text: { encoding: 'utf8', format: 'plain', compress: 'raw' },
  image: { encoding: 'jpg' },
};

/** Streams have the status that the plugin gives: an engine repeats that of its input, a wrapper counts its results. */
function statusOf(index: number, results: number, plugin: PluginName, { kind }: Transport): number {
  if (kind === 'call') return 3;
  if (index === results - 1) return plugin === 'wrapper' || results > 1 ? 2 : 3;
  return plugin === 'wrapper' && index === 0 ? 0 : 1;
}
