import { describe, expect, it } from 'vitest';
import { JsonBodyField, PluginError, StringBodyField, type StreamSession, WrapperBase } from '../../../src/index.js';
import { Driver } from '../../../src/sdk/driver.js';
import { callOf, runStream, Said, textFrame } from './wrappers.js';

class Req {
  text = new StringBodyField();
}
class Res {
  result = new StringBodyField();
}
interface Result {
  readonly result: string;
}

abstract class Base extends WrapperBase<Req, Res> {
  override requestCls = new Req();
  override responseCls = new Res();
}

class Upper extends Base {
  override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<Result> {
    for await (const { inputs } of packets) yield { result: inputs.text?.text.toUpperCase() ?? '' };
  }
}

class Steps extends Base {
  readonly calls: string[] = [];
  override create({ tag }: StreamSession<Req>): string {
    this.calls.push(`create ${tag}`);
    return tag;
  }
  override write(
    handle: unknown,
    { inputs, last }: { inputs: { text?: { text: string } | undefined }; last: boolean },
  ): Result {
    this.calls.push(`write ${String(handle)}`);
    const text = inputs.text?.text ?? '';
    if (text === 'fail') throw new PluginError(12, 'cannot');
    return { result: last ? `${text}.` : text };
  }
  override destroy(handle: unknown): void {
    this.calls.push(`destroy ${String(handle)}`);
  }
}

const packetsOf = (...texts: string[]): ReturnType<typeof textFrame>[][] =>
  texts.map((text) => [textFrame('text', text)]);

describe('a stream', () => {
  it('reports what the wrapper threw', async () => {
    class Throws extends Base {
      override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<Result> {
        for await (const { last } of packets) {
          if (last) throw new PluginError(5, 'five');
          yield { result: 'a' };
        }
      }
    }
    await expect(runStream(new Driver(Throws, new Said()), packetsOf('1', '2'))).rejects.toMatchObject({
      code: 10908,
      message: 'five;code=5',
    });
  });

  it('refuses a packet whose input does not fit its declaration, and goes on', async () => {
    class Documents extends Base {
      override requestCls = { text: new JsonBodyField() } as unknown as Req;
      override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<Result> {
        for await (const { inputs } of packets) yield { result: inputs.text?.text ?? 'nothing' };
      }
    }
    const stream = new Driver(Documents, new Said()).open(callOf());
    const results = stream.results();
    await expect(stream.write([textFrame('text', '{')], false)).rejects.toMatchObject({ code: 10009 });
    void stream.write([], true);
    await expect(results.next()).resolves.toMatchObject({ value: [{ data: Buffer.from('nothing') }] });
    await stream.close();
  });

  it('gives results as they come and an empty one at the end', async () => {
    expect(await runStream(new Driver(Upper, new Said()), packetsOf('a', 'b', 'c'))).toEqual([
      'result=A/0',
      'result=B/1',
      'result=C/1',
      'result=/2',
    ]);
  });

  it('ends with what the wrapper returns', async () => {
    class Count extends Base {
      override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<Result, Result> {
        let count = 0;
        for await (const { inputs } of packets) {
          count += inputs.text?.data.length ?? 0;
          if (count === 100) yield { result: 'many' };
        }
        return { result: String(count) };
      }
    }
    expect(await runStream(new Driver(Count, new Said()), packetsOf('a', 'bc'))).toEqual(['result=3/2']);
  });

  it('may end before its input does', async () => {
    class First extends Base {
      override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<Result, Result> {
        for await (const { inputs } of packets) return { result: inputs.text?.text ?? '' };
        return { result: 'none' };
        yield { result: 'never' };
      }
    }
    expect(await runStream(new Driver(First, new Said()), packetsOf('a', 'b'))).toEqual(['result=a/2']);
  });

  it('hands over a packet only when the wrapper asks for it', async () => {
    const taken: string[] = [];
    let go = (): void => undefined;
    class Slow extends Base {
      override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<Result> {
        for await (const { inputs } of packets) {
          taken.push(inputs.text?.text ?? '');
          await new Promise<void>((resolve) => (go = resolve));
          yield { result: 'x' };
        }
      }
    }
    const stream = new Driver(Slow, new Said()).open(callOf());
    const results = stream.results();
    const first = results.next();
    let written = false;
    const writing = stream.write([textFrame('text', '1')], false).then(() => (written = true));
    await expect.poll(() => taken).toEqual(['1']);
    expect(written).toBe(false);
    go();
    await first;
    void results.next();
    await writing;
    expect(written).toBe(true);
    await Promise.all([stream.close(), expect.poll(() => taken.length).toBe(1)]);
  });

  it('runs the finally of the wrapper when it is closed, and lets go of whoever writes', async () => {
    let cleaned = 0;
    class Holds extends Base {
      override async *stream({ packets }: StreamSession<Req>): AsyncGenerator<Result> {
        try {
          for await (const { inputs } of packets) yield { result: inputs.text?.text ?? '' };
        } finally {
          cleaned++;
        }
      }
    }
    const stream = new Driver(Holds, new Said()).open(callOf());
    const results = stream.results();
    const first = results.next();
    const writing = stream.write([textFrame('text', '1')], false);
    await first;
    await stream.close();
    await stream.close();
    await writing;
    expect(cleaned).toBe(1);
    await stream.write([textFrame('text', '2')], true);
    await expect(results.next()).resolves.toMatchObject({ done: true });
  });
});

describe('a stream in three calls', () => {
  it('creates, writes and destroys in order, and ends with the answer to the last packet', async () => {
    const driver = new Driver(Steps, new Said());
    expect(await runStream(driver, packetsOf('a', 'b'))).toEqual(['result=a/0', 'result=b./2']);
  });

  it('destroys what it created also after a failure, which has the code of a write', async () => {
    let instance: Steps | null = null;
    class Watched extends Steps {
      constructor() {
        super();
        // eslint-disable-next-line @typescript-eslint/no-this-alias -- the driver makes the instance
        instance = this;
      }
    }
    await expect(runStream(new Driver(Watched, new Said()), packetsOf('a', 'fail'))).rejects.toMatchObject({
      code: 10907,
      message: 'cannot;code=12',
    });
    expect((instance as Steps | null)?.calls).toEqual(['create t1', 'write t1', 'write t1', 'destroy t1']);
  });

  it('gives its last result whatever destroy says', async () => {
    class Stubborn extends Steps {
      override destroy(): void {
        throw new Error('not now');
      }
    }
    const said = new Said();
    expect(await runStream(new Driver(Stubborn, said), packetsOf('a'))).toEqual(['result=a./2']);
    expect(said.lines).toMatchObject([{ level: 'error', message: 'destroy failed: not now' }]);
  });

  it('has nothing to destroy when create fails', async () => {
    class Refuses extends Steps {
      override create(): string {
        throw new Error('no');
      }
    }
    await expect(runStream(new Driver(Refuses, new Said()), packetsOf('a'))).rejects.toMatchObject({ code: 10905 });
  });
});
