import { afterEach, describe, expect, it, vi } from 'vitest';
import { ImageBodyField, NativeWrapper, PluginError, StringBodyField } from '../../../src/index.js';
import { counters } from '../../../src/runtimes/native/index.js';
import { createEngineOpener } from '../../../src/runtimes/worker/engine-opener.js';
import { Driver } from '../../../src/sdk/driver.js';
import { testWrapper } from '../../../src/testing.js';
import { fixtureEngine } from '../../fixtures/engines.js';

class Request {
  in = new ImageBodyField({ required: false });
}
class Response {
  result = new StringBodyField({ required: false });
}

class Plain extends NativeWrapper<Request, Response> {
  override requestCls = new Request();
  override responseCls = new Response();
  override library: string | URL = fixtureEngine('scripted');
}

afterEach(async () => {
  await vi.waitFor(() => {
    expect(counters()).toMatchObject({ engines: 0, threads: 0, jobsRunning: 0, pins: 0 });
  }, 20_000);
});

describe('a wrapper around an engine that cannot be loaded', () => {
  it('says which file it looked for', async () => {
    class Missing extends Plain {
      override library = './missing/libwrapper.so';
    }
    const file = new URL('./wrapper.ts', import.meta.url);
    await expect(testWrapper(Missing, {}, { file })).rejects.toMatchObject({
      code: 10901,
      message: expect.stringMatching(/test\/unit\/sdk\/missing\/libwrapper\.so.*No such file/) as string,
    });
  });

  it('says that it names none', async () => {
    class Nameless extends Plain {
      override library = '';
    }
    await expect(testWrapper(Nameless)).rejects.toThrow('expected the path of an engine for library but found ""');
  });

  it('says what a library lacks that is no engine', async () => {
    class Empty extends Plain {
      override library = fixtureEngine('no_symbols');
    }
    await expect(testWrapper(Empty)).rejects.toThrow(/wrapperInit/);
  });

  it('passes on what wrapperInit says', async () => {
    await expect(testWrapper(Plain, { initFail: '3' })).rejects.toThrow(/wrapperInit failed: .*;code=3/);
  });

  it('ends the engine when its own init fails', async () => {
    class Failing extends Plain {
      override init(): void {
        throw new Error(`no labels for engine ${this.engine.version}`);
      }
    }
    await expect(testWrapper(Failing)).rejects.toThrow('no labels for engine scripted 1.0');
  });

  it('is refused where nobody can load engines', async () => {
    const driver = new Driver(Plain, { log: () => undefined, meter: () => undefined, trace: () => undefined });
    await expect(driver.init(new Map())).rejects.toThrow('nobody here can load engines');
  });
});

describe('the engine of a wrapper', () => {
  it('is not there before init', () => {
    class Early extends Plain {
      version2 = this.engine.version;
    }
    expect(() => new Early()).toThrow('the engine is there from init to fini');
  });

  it('gets the configuration that the wrapper gives it', async () => {
    class Configured extends Plain {
      override engineConfig(): ReadonlyMap<string, string> {
        return new Map([['initFail', '4']]);
      }
    }
    await expect(testWrapper(Configured)).rejects.toThrow(/code=4/);
  });

  it('fails as a PluginError with its code and its own text', async () => {
    let caught: unknown = null;
    class Catching extends Plain {
      override async onceExec(): Promise<{ result: string }> {
        try {
          await this.engine.once({ params: { do: 'fail', code: 6 }, inputs: [] });
        } catch (error) {
          caught = error;
        }
        return { result: 'handled' };
      }
    }
    const wrapper = await testWrapper(Catching);
    expect((await wrapper.once()).result?.text).toBe('handled');
    expect(caught).toBeInstanceOf(PluginError);
    expect(caught).toMatchObject({ code: 6, message: expect.not.stringContaining('code=') as string });
    await wrapper.fini();
  });

  it('says what it gave instead of an output that it did not give', async () => {
    class Wishful extends Plain {
      override async onceExec(): Promise<{ result: Uint8Array }> {
        const answer = await this.engine.once({ inputs: [{ key: 'in', data: 'abc' }] });
        return { result: answer.get('boxes').data };
      }
    }
    const wrapper = await testWrapper(Wishful);
    await expect(wrapper.once()).rejects.toMatchObject({ code: 10909 });
    expect(wrapper.lines[0]?.message).toContain('expected an output "boxes" of the engine but it gave "result"');
    await wrapper.fini();
  });

  it('can be driven by hand through a stream', async () => {
    class ByHand extends Plain {
      override async onceExec(): Promise<{ result: string }> {
        const stream = await this.engine.open();
        await stream.write([{ key: 'in', data: 'a' }], { last: false });
        await stream.write([{ key: 'in', data: 'b' }], { last: true });
        const texts: string[] = [];
        for await (const answer of stream.results()) texts.push(answer.get('result').text);
        await stream.close();
        await stream.close();
        return { result: texts.join() };
      }
    }
    const wrapper = await testWrapper(ByHand);
    expect((await wrapper.once()).result?.text).toBe('a,b');
    await wrapper.fini();
  });
});

describe('what a wrapper can be asked for', () => {
  class NoStream extends Plain {
    override library = fixtureEngine('no_stream');
  }
  class OwnStream extends NoStream {
    override async *stream(): AsyncGenerator<{ result: string }, void> {
      yield { result: await Promise.resolve('own') };
    }
  }
  class ThreeCalls extends NoStream {
    override create(): string {
      return 'handle';
    }
    override write(): { result: string } {
      return { result: 'written' };
    }
    override destroy(): void {
      // Nothing to give back.
    }
  }

  it.each([
    ['is what its engine can do', Plain, { once: true, stream: true }],
    ['is not what its engine lacks', NoStream, { once: true, stream: false }],
    ['is also what it does itself', OwnStream, { once: true, stream: true }],
    ['is also what it does in three calls', ThreeCalls, { once: true, stream: true }],
  ])('%s', async (_name, wrapper, capabilities) => {
    const driver = new Driver(wrapper, {
      log: () => undefined,
      meter: () => undefined,
      trace: () => undefined,
      openEngine: createEngineOpener('.'),
    });
    await driver.init(new Map());
    expect(driver.capabilities).toMatchObject(capabilities);
    await driver.fini();
  });

  it('is answered by the three calls that it has written', async () => {
    const wrapper = await testWrapper(ThreeCalls);
    const answers = await wrapper.stream([{ in: 'a' }]);
    expect(answers.map((answer) => answer.result?.text)).toEqual(['written']);
    await wrapper.fini();
  });
});
