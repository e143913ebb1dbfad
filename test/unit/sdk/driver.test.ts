import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import {
  ImageBodyField,
  IntegerParamField,
  JsonBodyField,
  type OnceRequest,
  PluginError,
  Response,
  ResponseData,
  StringBodyField,
  StringParamField,
  WrapperBase,
} from '../../../src/index.js';
import { Driver } from '../../../src/sdk/driver.js';
import { callOf, Said, textFrame, textOf } from './wrappers.js';

class Req {
  mode = new StringParamField({ enums: ['plain', 'loud'], value: 'plain' });
  times = new IntegerParamField({ minimum: 1, maximum: 3, value: 1 });
  text = new StringBodyField();
  extra = new JsonBodyField<{ suffix: string }, false>({ required: false });
}
class Res {
  result = new StringBodyField();
  picture = new ImageBodyField({ required: false, encoding: 'png' });
}

function wrapperOf(onceExec: (this: Echo, request: OnceRequest<Req>) => unknown): new () => WrapperBase {
  return class extends Echo {
    override onceExec(request: OnceRequest<Req>): never {
      return onceExec.call(this, request) as never;
    }
  };
}

class Echo extends WrapperBase<Req, Res> {
  override requestCls = new Req();
  override responseCls = new Res();
  override onceExec({ params, inputs }: OnceRequest<Req>): { result: string } {
    this.meter('characters', inputs.text.text.length);
    this.trace('mode', params.mode);
    const text = inputs.text.text.repeat(params.times) + (inputs.extra?.json.suffix ?? '');
    return { result: params.mode === 'loud' ? text.toUpperCase() : text };
  }
  override error(code: number): string {
    return code === 7 ? 'seven' : super.error(code);
  }
  write2(key: string): void {
    this.meter(key, 1);
  }
}

function load(exported: unknown): () => Driver {
  return () => new Driver(exported, new Said());
}

async function failure(running: Promise<unknown>): Promise<AigesError> {
  try {
    await running;
  } catch (error) {
    if (error instanceof AigesError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('loading a wrapper', () => {
  it('refuses what is no wrapper, and says what it wants', () => {
    for (const exported of [undefined, {}, Said, () => undefined]) {
      expect(load(exported)).toThrow(/a class that extends WrapperBase as the default export/);
    }
  });

  it('names the method that is missing', () => {
    class Empty extends WrapperBase<Req, Res> {
      override requestCls = new Req();
      override responseCls = new Res();
    }
    expect(load(Empty)).toThrow('Empty: the wrapper lacks onceExec');
    class Half extends Empty {
      override create(): number {
        return 1;
      }
      override write(): undefined {
        return undefined;
      }
    }
    expect(load(Half)).toThrow('Half: the wrapper has create and write but lacks destroy');
    class Keeper extends Echo {
      override loadResource(): void {
        return undefined;
      }
    }
    expect(load(Keeper)).toThrow('lacks unloadResource');
  });

  it('refuses two ways to write a stream', () => {
    class Both extends Echo {
      override async *stream(): AsyncGenerator<{ result: string }> {
        yield await Promise.resolve({ result: '' });
      }
      override create(): void {
        return undefined;
      }
      override write(): void {
        return undefined;
      }
      override destroy(): void {
        return undefined;
      }
    }
    expect(load(Both)).toThrow('both stream and create, write, destroy');
  });

  it('refuses declarations that nobody could serve', () => {
    const withFields = (requestCls: object, responseCls: object = new Res()): unknown =>
      class Odd extends WrapperBase {
        override requestCls = requestCls;
        override responseCls = responseCls;
        override onceExec(): object {
          return {};
        }
      };
    expect(load(withFields(Req))).toThrow('write new Req()');
    expect(load(withFields({ a: 1 }))).toThrow('expected a field for requestCls.a');
    expect(load(withFields({ a: new StringBodyField({ key: 'x' }), b: new StringBodyField({ key: 'x' }) }))).toThrow(
      'a and b both declare the input "x"',
    );
    expect(load(withFields({}, { a: new StringParamField() }))).toThrow('responseCls.a is a parameter');
  });

  it('says what the constructor of the wrapper threw', () => {
    class Broken extends Echo {
      constructor() {
        super();
        throw new Error('no weights');
      }
    }
    expect(load(Broken)).toThrow('Broken: no weights');
  });

  it('says what init threw', async () => {
    class Unready extends Echo {
      override init(): void {
        throw new Error('no model.bin');
      }
    }
    const error = await failure(new Driver(Unready, new Said()).init(new Map()));
    expect(error).toMatchObject({ code: 10901, message: 'no model.bin;code=30001' });
  });

  it('inherits what a wrapper above declares', () => {
    class More extends Req {
      name = new StringParamField();
    }
    class Child extends Echo {
      override requestCls = new More();
    }
    const { descriptor } = new Driver(Child, new Said());
    expect(descriptor.params.map(({ name }) => name)).toEqual(['mode', 'times', 'name']);
    expect(descriptor.inputs.map(({ name, required }) => [name, required])).toEqual([
      ['text', true],
      ['extra', false],
    ]);
  });
});

describe('a request', () => {
  const once = (params: Record<string, string>, ...frames: ReturnType<typeof textFrame>[]): Promise<unknown> =>
    new Driver(Echo, new Said()).once(callOf(params), frames);

  it.each([
    [{ mode: 'quiet' }, 'parameter "mode": expected one of "plain", "loud" but found "quiet"'],
    [{ times: 'x' }, 'parameter "times": expected an integer but found "x"'],
    [{ times: '1.5' }, 'parameter "times": expected an integer but found "1.5"'],
    [{ times: '' }, 'parameter "times": expected an integer but found ""'],
    [{ times: '4' }, 'parameter "times": expected 3 or less but found "4"'],
    [{ times: '0' }, 'parameter "times": expected 1 or more but found "0"'],
  ])('with %o is refused', async (params, text) => {
    const error = await failure(once(params, textFrame('text', 'a')));
    expect(error).toMatchObject({ code: 10009, message: `input invalid data: ${text}` });
  });

  it('without a required input is refused', async () => {
    expect(await failure(once({}, textFrame('other', 'a')))).toMatchObject({
      code: 10009,
      message: 'input invalid data: input "text" is missing',
    });
  });

  it('with broken JSON is refused', async () => {
    const error = await failure(once({}, textFrame('text', 'a'), textFrame('extra', '{')));
    expect(error.code).toBe(10009);
    expect(error.message).toMatch(/^input invalid data: input "extra": expected JSON: /);
  });

  it('is answered, with defaults filled in', async () => {
    const driver = new Driver(Echo, new Said());
    const [result] = await driver.once(callOf(), [textFrame('text', 'ab')]);
    expect(result).toMatchObject({ key: 'result', type: 0, status: 3 });
    expect(Object.fromEntries(result?.desc ?? [])).toEqual({ encoding: 'utf8', format: 'plain', compress: 'raw' });
    const loud = await driver.once(callOf({ mode: 'loud', times: '2' }), [
      textFrame('text', 'ab'),
      textFrame('extra', '{"suffix":"!"}'),
    ]);
    expect(loud.map(textOf)).toEqual(['ABAB!']);
  });

  it('knows its meters and traces apart from those of others', async () => {
    const said = new Said();
    const driver = new Driver(Echo, said);
    await Promise.all([
      driver.once(callOf({}, { tag: 'a' }), [textFrame('text', 'x')]),
      driver.once(callOf({ mode: 'loud' }, { tag: 'b' }), [textFrame('text', 'yz')]),
    ]);
    expect(said.meters).toEqual([
      ['a', 'characters', 1],
      ['b', 'characters', 2],
    ]);
    expect(said.traces).toEqual([
      ['a', 'mode', 'plain'],
      ['b', 'mode', 'loud'],
    ]);
  });

  it.each([
    ['meter', 'units', Infinity, 'meter: expected a finite number for the count but found Infinity'],
    ['meter', 'units', NaN, 'meter: expected a finite number for the count but found NaN'],
    ['meter', 'units', '3', "meter: expected a finite number for the count but found '3'"],
    ['meter', undefined, 3, 'meter: expected a string for the key but found undefined'],
    ['trace', null, 'x', 'trace: expected a string for the key but found null'],
    ['trace', 'step', { at: 1 }, 'trace: expected a string for the value but found { at: 1 }'],
  ])('fails when it calls %s with %o and %o', async (method, key, value, line) => {
    const said = new Said();
    const odd = wrapperOf(function () {
      (this as unknown as Record<string, (...given: unknown[]) => void>)[method]?.(key, value);
      return { result: '' };
    });
    const error = await failure(new Driver(odd, said).once(callOf(), [textFrame('text', 'a')]));
    expect(error).toMatchObject({ code: 10909, pluginCode: 30003 });
    expect(said.lines).toMatchObject([{ message: `the wrapper failed: ${line}` }]);
    expect([...said.meters, ...said.traces]).toEqual([]);
  });

  it('does nothing with a meter outside of a call', () => {
    expect(() => {
      new Echo().write2('x');
    }).not.toThrow();
  });
});

describe('what a wrapper gives', () => {
  /** What plain JavaScript can put into one. */
  const odd = (fields: object): ResponseData => Object.assign(new ResponseData({ key: 'result' }), fields);
  const listed = (...list: ResponseData[]): Response => Object.assign(new Response(), { list });
  const once = (give: (request: OnceRequest<Req>) => unknown, said = new Said()): Promise<unknown> =>
    new Driver(wrapperOf(give), said).once(callOf(), [textFrame('text', 'a')]);

  it.each([
    ['nothing', () => undefined, /expected an object of outputs but the wrapper gave undefined/],
    ['text', () => 'a', /the wrapper gave a string/],
    ['no output', () => ({}), /output result is declared but the wrapper gave none/],
    ['an unknown output', () => ({ result: 'a', other: 'b' }), /an output "other" that it does not declare/],
    ['a number for text', () => ({ result: 5 }), /output result: expected a string or a Uint8Array .* a number/],
    ['text for bytes', () => ({ result: 'a', picture: 'b' }), /output picture: expected a Uint8Array .* a string/],
    ['a number as data', () => ({ result: odd({ data: 5 }) }), /output result: .* for data but found a number/],
    [
      'an object as data',
      () => ({ result: odd({ data: { a: 1 } }) }),
      /output result: .* for data but found an object/,
    ],
    ['a name as type', () => ({ result: odd({ type: 'audio' }) }), /output result: .* for type but found 'audio'/],
    ['an unknown status', () => listed(odd({ status: 9 })), /output result: .* for status but found 9/],
    ['an unknown key', () => Object.assign(new Response(), { list: [new ResponseData({ key: 'x' })] }), /output "x"/],
  ])('%s: fails without telling the client more than that', async (_name, give, line) => {
    const said = new Said();
    const error = await failure(once(give, said));
    expect(error).toMatchObject({ code: 10909, message: 'plugin failed;code=30003', pluginCode: 30003 });
    expect(said.lines).toMatchObject([{ level: 'error', fields: { sid: 's1', tag: 't1' } }]);
    expect(said.lines[0]?.message).toMatch(line);
  });

  it.each([
    ['a PluginError', () => Promise.reject(new PluginError(4003, 'no answer')), 'no answer;code=4003', 4003],
    ['a PluginError without a text', () => Promise.reject(new PluginError(7)), 'seven;code=7', 7],
    ['an answer that failed', () => new Response().response_err(7), 'seven;code=7', 7],
    ['an unknown code', () => new Response().response_err(-1), 'plugin error -1;code=-1', -1],
  ])('%s: carries its own code', async (_name, give, message, pluginCode) => {
    expect(await failure(once(give))).toMatchObject({ code: 10909, message, pluginCode });
  });

  it('anything thrown: the stack is for the log only', async () => {
    const said = new Said();
    const error = await failure(once(() => Promise.reject(new Error('secret path')), said));
    expect(error.message).toBe('plugin failed;code=30003');
    expect(JSON.stringify(said.lines)).toContain('secret path');
    expect(JSON.stringify(said.lines)).toContain('driver.test.ts');
  });

  it('an answer object: becomes frames', async () => {
    const response = new Response();
    const data = new ResponseData({ key: 'result', data: 'abc', desc: { lang: 'en' } });
    data.setDataType(0);
    expect(data.len).toBe(3);
    response.list = [data];
    const frames = (await once(() => response)) as [{ desc: Map<string, string>; status: number }];
    expect(frames[0].desc.get('lang')).toBe('en');
    expect(frames[0].status).toBe(3);
  });

  it('refuses codes that are none', () => {
    expect(() => new PluginError(0)).toThrow('other than 0');
    expect(() => new PluginError(2 ** 40)).toThrow('32-bit');
    expect(() => {
      new ResponseData().setDataType(9);
    }).toThrow('0 to 4');
  });
});
