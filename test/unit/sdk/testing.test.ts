import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import {
  ImageBodyField,
  IntegerParamField,
  JsonBodyField,
  type OnceRequest,
  type Outputs,
  PluginError,
  StringBodyField,
  type StreamResult,
  type StreamSession,
  WrapperBase,
} from '../../../src/index.js';
import { testWrapper, type TestedWrapper } from '../../../src/testing.js';

class Req {
  times = new IntegerParamField({ key: 'repeat', minimum: 1, maximum: 9, value: 1 });
  text = new StringBodyField({ key: 'input_text' });
  image = new ImageBodyField({ required: false });
  options = new JsonBodyField<{ upper: boolean }, false>({ required: false });
}
class Res {
  text = new StringBodyField({ key: 'output_text' });
  info = new JsonBodyField<{ bytes: number }, false>({ required: false });
}

class Picture {
  image = new ImageBodyField();
}

class Repeat extends WrapperBase<Req, Res> {
  override requestCls = new Req();
  override responseCls = new Res();
  #greeting = '';
  readonly #resources = new Map<number, string>();

  override init(config: ReadonlyMap<string, string>): void {
    this.#greeting = config.get('greeting') ?? '';
  }
  override onceExec({ params, inputs, log, resourceIds }: OnceRequest<Req>): Outputs<Res> {
    if (inputs.text.text === 'fail') throw new PluginError(9, 'told to');
    log.info('repeating', { times: params.times });
    this.meter('repeats', params.times);
    const text = this.#greeting + inputs.text.text.repeat(params.times);
    const suffix = resourceIds.map((id) => this.#resources.get(id)).join('');
    return {
      text: (inputs.options?.json.upper === true ? text.toUpperCase() : text) + suffix,
      info: { bytes: inputs.image?.data.length ?? 0 },
    };
  }
  override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<StreamResult<Res>, StreamResult<Res>> {
    let count = 0;
    for await (const { inputs } of packets) {
      count++;
      yield { text: inputs.text?.text ?? '' };
    }
    return { text: String(count) };
  }
  override loadResource({ id, frames }: { id: number; frames: readonly { data: Uint8Array }[] }): void {
    this.#resources.set(id, frames.map(({ data }) => Buffer.from(data).toString()).join());
  }
  override unloadResource(id: number): void {
    this.#resources.delete(id);
  }
}

class Text {
  text = new StringBodyField();
}

/** Waits until its client has left, or for ever. */
class Patient extends WrapperBase<Text, Text> {
  override requestCls = new Text();
  override responseCls = new Text();
  readonly events: string[] = [];

  override async onceExec({ inputs, signal }: OnceRequest<Text>): Promise<Outputs<Text>> {
    this.events.push('begun');
    await this.#leaving(signal, inputs.text.text);
    return { text: 'too late' };
  }
  override async *stream({ packets, signal }: StreamSession<Text>): AsyncGenerator<StreamResult<Text>, void> {
    try {
      for await (const { inputs } of packets) {
        yield { text: 'heard' };
        this.events.push('begun');
        if (inputs.text?.text !== 'go on') await this.#leaving(signal, inputs.text?.text);
      }
    } finally {
      this.events.push('ended');
    }
  }
  async #leaving(signal: AbortSignal, what: string | undefined): Promise<void> {
    await new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        this.events.push((signal.reason as Error).message);
        if (what === 'wait') setImmediate(resolve);
      });
    });
  }
}

/** The wrapper too: the kit does not give it away. */
async function patient(): Promise<{ wrapper: TestedWrapper<Text, Text>; events: string[] }> {
  let events: string[] = [];
  const wrapper = await testWrapper(
    class extends Patient {
      constructor() {
        super();
        events = this.events;
      }
    },
  );
  return { wrapper, events };
}

const timeUp = 'service exec once request timeout';

describe('testWrapper, when nobody waits any more,', () => {
  it.each(['wait', 'for ever'])('ends a call whose time is up, whatever the wrapper does (%s)', async (text) => {
    const { wrapper, events } = await patient();
    const once = wrapper.once({ inputs: { text }, timeoutMs: 20 });
    await expect(once).rejects.toMatchObject({ code: 10102, message: timeUp });
    expect(events).toEqual(['begun', timeUp]);
    const stream = wrapper.stream([{ text }, { text }], { timeoutMs: 20 });
    await expect(stream).rejects.toMatchObject({ code: 10102, message: timeUp });
    expect(events.slice(2)).toEqual(['begun', timeUp, ...(text === 'wait' ? ['ended'] : [])]);
  });

  it('ends a call whose client leaves', async () => {
    const { wrapper, events } = await patient();
    const client = new AbortController();
    const once = wrapper.once({ inputs: { text: 'for ever' }, signal: client.signal });
    const stream = wrapper.stream([{ text: 'wait' }], { signal: client.signal });
    await vi.waitFor(() => {
      expect(events).toEqual(['begun', 'begun']);
    });
    client.abort(new Error('gone'));
    for (const call of [once, stream]) {
      await expect(call).rejects.toMatchObject({
        code: 10102,
        message: 'the client has left',
        cause: { message: 'gone' },
      });
    }
    expect(events.slice(2)).toEqual(['the client has left', 'the client has left', 'ended']);
  });

  it('does not begin', async () => {
    const { wrapper, events } = await patient();
    const inputs = { text: 'wait' };
    await expect(wrapper.once({ inputs, timeoutMs: 0 })).rejects.toMatchObject({ code: 10102, message: timeUp });
    await expect(wrapper.stream([inputs], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 10102 });
    expect(events).toEqual([]);
  });

  it('leaves a call alone that has ended', async () => {
    const { wrapper, events } = await patient();
    const client = new AbortController();
    const { signal } = client;
    await expect(wrapper.stream([{ text: 'go on' }], { signal, timeoutMs: 60_000 })).resolves.toHaveLength(2);
    client.abort();
    expect(events).toEqual(['begun', 'ended']);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('testWrapper', () => {
  it('refuses a stream without packets, which would never end', async () => {
    const wrapper = await testWrapper(Repeat);
    await expect(wrapper.stream([])).rejects.toThrow(TypeError);
  });

  it('refuses what the loader refuses', async () => {
    const wrapper = await testWrapper(Repeat);
    await expect(wrapper.once()).rejects.toMatchObject({ code: 10009 });
    await expect(wrapper.once({ params: { times: 10 }, inputs: { text: 'a' } })).rejects.toThrow('9 or less');
    await expect(wrapper.once({ rawParams: { repeat: 'x' }, inputs: { text: 'a' } })).rejects.toThrow('an integer');
    await expect(wrapper.once({ inputs: { text: 'fail' } })).rejects.toMatchObject({ code: 10909, pluginCode: 9 });
    // @ts-expect-error -- no such parameter
    await expect(wrapper.once({ params: { time: 1 }, inputs: { text: 'a' } })).resolves.toBeDefined();
  });

  it('drives a wrapper as the loader does', async () => {
    const wrapper = await testWrapper(Repeat, { greeting: '>' });
    const answer = await wrapper.once({
      params: { times: 2 },
      inputs: { text: 'ab', image: new Uint8Array(5), options: { upper: true } },
    });
    expect(answer.text?.text).toBe('>ABAB');
    expect(answer.text).toMatchObject({ key: 'output_text', status: 3 });
    expect(answer.info?.json()).toEqual({ bytes: 5 });
    expect(wrapper.meters).toEqual([{ key: 'repeats', count: 2 }]);
    expect(wrapper.lines).toMatchObject([{ level: 'info', message: 'repeating', fields: { times: 2, sid: 'test' } }]);
    await wrapper.fini();
  });

  it('drives a stream', async () => {
    const wrapper = await testWrapper(Repeat);
    const results = await wrapper.stream([{ text: 'a' }, { text: 'b' }]);
    expect(results.map(({ text }) => [text?.text, text?.status])).toEqual([
      ['a', 0],
      ['b', 1],
      ['2', 2],
    ]);
  });

  it('takes large outputs from the wrapper, as the loader does', async () => {
    class Caches extends WrapperBase<Req, Picture> {
      override requestCls = new Req();
      override responseCls = new Picture();
      readonly #cached = new Uint8Array(1 << 16).fill(7);

      override onceExec({ inputs }: OnceRequest<Req>): Outputs<Picture> {
        if (inputs.text.text === 'back') return { image: inputs.image?.data ?? new Uint8Array(0) };
        return { image: inputs.text.text === 'copy' ? this.#cached.slice() : this.#cached };
      }
    }
    const wrapper = await testWrapper(Caches);
    const image = new Uint8Array(1 << 16).fill(3);
    for (const [text, byte] of [
      ['copy', 7],
      ['copy', 7],
      ['back', 3],
      ['back', 3],
      ['itself', 7],
    ] as const) {
      const { image: given } = await wrapper.once({ inputs: { text, image } });
      expect(given?.data.length).toBe(1 << 16);
      expect(given?.data.every((each) => each === byte)).toBe(true);
    }
    await expect(wrapper.once({ inputs: { text: 'itself' } })).rejects.toMatchObject({
      code: 10909,
      pluginCode: 30003,
    });
    expect(wrapper.lines.at(-1)?.message).toContain('output image: its buffer was handed over with an earlier answer');
  });

  it('takes a large output that is given under two names', async () => {
    class Twins {
      left = new ImageBodyField();
      right = new ImageBodyField();
    }
    class Twice extends WrapperBase<Req, Twins> {
      override requestCls = new Req();
      override responseCls = new Twins();
      override onceExec(): Outputs<Twins> {
        const both = new Uint8Array(1 << 16);
        return { left: both, right: both };
      }
    }
    const { left, right } = await (await testWrapper(Twice)).once({ inputs: { text: '' } });
    expect([left?.data.length, right?.data.length]).toEqual([1 << 16, 1 << 16]);
  });

  it('loads resources', async () => {
    const wrapper = await testWrapper(Repeat);
    await wrapper.loadResource(3, { words: 'xyz' });
    expect((await wrapper.once({ inputs: { text: 'a' }, resourceIds: [3] })).text?.text).toBe('axyz');
    await wrapper.unloadResource(3);
    expect((await wrapper.once({ inputs: { text: 'a' }, resourceIds: [3] })).text?.text).toBe('a');
  });
});
