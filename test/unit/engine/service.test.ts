import { describe, expect, it } from 'vitest';
import type { Call } from '../../../src/core/call.js';
import { AigesError } from '../../../src/core/errors.js';
import { DataStatus, DataType, emptyMap, type Frame } from '../../../src/core/frame.js';
import { Admission } from '../../../src/engine/admission.js';
import type { Input } from '../../../src/engine/input.js';
import type { Resources } from '../../../src/engine/resources.js';
import { Service } from '../../../src/engine/service.js';
import {
  type Answer,
  FakeRuntime,
  FakeStream,
  gate,
  prepare,
  streams,
  textFrame,
} from '../../fixtures/fake-runtime.js';

function callWith(changes: Partial<Call> = {}): Call {
  return {
    sid: 'sid',
    tag: 'tag',
    params: emptyMap,
    resourceIds: [],
    expect: null,
    signal: new AbortController().signal,
    deadline: Infinity,
    ...changes,
  };
}

class CountedInput implements Input {
  readonly frames: readonly Frame[] = [textFrame('in', 'x')];
  released = 0;
  release(): void {
    this.released++;
  }
}

function serviceOn(runtime: FakeRuntime, limits = { permits: 1, queue: 1 }, resources: number | null = null): Service {
  return new Service({ name: 'test', runtime, admission: new Admission(limits), prepare, resources, streams });
}

const never = new AbortController().signal;

async function serviceWithResources(
  answer: Answer = () => [],
): Promise<{ service: Service; runtime: FakeRuntime; resources: Resources }> {
  const runtime = new FakeRuntime(answer);
  runtime.takesResources = true;
  const service = serviceOn(runtime, { permits: 1, queue: 1 }, 10);
  await service.start(emptyMap);
  const { resources } = service;
  if (resources === null) throw new Error('the service offers no resources');
  return { service, runtime, resources };
}

const result = { name: 'result', type: DataType.text, attributes: emptyMap };

describe('Service.once', () => {
  it('does not start a call whose time is up, and lets its input go', async () => {
    const runtime = new FakeRuntime(() => []);
    const input = new CountedInput();
    const signal = AbortSignal.abort(new AigesError('timeout'));
    const service = serviceOn(runtime);
    await expect(service.once(callWith({ signal }), input, service.admit())).rejects.toMatchObject({ code: 10102 });
    expect(runtime.calls).toBe(0);
    expect(input.released).toBe(1);
    expect(service.load.running).toBe(0);
  });

  it('lets no call in beyond the permits', async () => {
    const hold = gate<readonly Frame[]>();
    const service = serviceOn(new FakeRuntime(() => hold.promise));
    const running = service.once(callWith(), new CountedInput(), service.admit());
    expect(() => service.admit()).toThrow(expect.objectContaining({ code: 10110 }));
    hold.open([]);
    await running;
  });

  it("passes the plugin's failure on and frees the permit", async () => {
    const service = serviceOn(
      new FakeRuntime(() => {
        throw new AigesError('execFailed', { message: 'bad picture;code=7', pluginCode: 7 });
      }),
    );
    const input = new CountedInput();
    await expect(service.once(callWith(), input, service.admit())).rejects.toMatchObject({
      code: 10909,
      pluginCode: 7,
    });
    expect(service.load.running).toBe(0);
    expect(input.released).toBe(1);
  });

  it('hides what a runtime threw that is no error of ours', async () => {
    const service = serviceOn(
      new FakeRuntime(() => {
        throw new TypeError('secret');
      }),
    );
    await expect(service.once(callWith(), new CountedInput(), service.admit())).rejects.toMatchObject({
      code: 10002,
      message: 'internal error',
    });
  });

  it('gives up when the signal aborts but keeps permit and input until the plugin has returned', async () => {
    const hold = gate<readonly Frame[]>();
    const runtime = new FakeRuntime(() => hold.promise);
    const service = serviceOn(runtime);
    const client = new AbortController();
    const input = new CountedInput();
    const call = service.once(callWith({ signal: client.signal }), input, service.admit());
    client.abort(new AigesError('timeout'));
    await expect(call).rejects.toMatchObject({ kind: 'timeout' });
    expect(service.load.running).toBe(1);
    expect(input.released).toBe(0);
    hold.open([textFrame('result', 'late')]);
    await service.drain();
    expect(service.load.running).toBe(0);
    expect(input.released).toBe(1);
    expect(runtime.outputsAlive).toBe(0);
  });

  it('has freed the permit by the time the answer can be seen', async () => {
    const service = serviceOn(new FakeRuntime(() => []), { permits: 1, queue: 0 });
    for (let round = 0; round < 100; round++) {
      await service.once(callWith(), new CountedInput(), service.admit());
      expect(service.load.running).toBe(0);
    }
  });

  it('refuses an output that the request does not expect and releases it', async () => {
    const runtime = new FakeRuntime(() => [textFrame('other', 'x')]);
    const call = callWith({ expect: [result] });
    await expect(serviceOn(runtime).once(call, new CountedInput())).rejects.toMatchObject({
      code: 10106,
      message: 'wrapper output data is nil ',
      detail: 'the plugin gave output "other", the request expects "result"',
    });
    expect(runtime.outputsAlive).toBe(0);
  });

  it('refuses an output of another type than the request insists on', async () => {
    const runtime = new FakeRuntime(() => [textFrame('result', 'x', { type: DataType.image })]);
    const call = callWith({ expect: [result] });
    await expect(serviceOn(runtime).once(call, new CountedInput())).rejects.toMatchObject({
      code: 10106,
      message: 'wrapper output data invalid(key or type)',
    });
  });

  it("takes the plugin's type when the request leaves it open", async () => {
    const runtime = new FakeRuntime(() => [textFrame('result', 'x', { type: DataType.image })]);
    const call = callWith({ expect: [{ ...result, type: null }] });
    const output = await serviceOn(runtime).once(call, new CountedInput());
    expect(output.frames).toHaveLength(1);
    output.release();
    expect(runtime.outputsAlive).toBe(0);
  });

  it('lets a waiting call run when the one before it is done', async () => {
    const hold = gate<readonly Frame[]>();
    const runtime: FakeRuntime = new FakeRuntime((_call, frames) => (runtime.calls === 1 ? hold.promise : frames));
    const service = serviceOn(runtime);
    const first = service.once(callWith(), new CountedInput());
    const second = service.once(callWith(), new CountedInput());
    await Promise.resolve();
    expect(service.load).toEqual({ running: 1, waiting: 1, permits: 1 });
    hold.open([]);
    await Promise.all([first, second]);
    expect(runtime.calls).toBe(2);
  });

  it('shows the complete input to whoever records it, before the plugin gets it', async () => {
    const seen: string[] = [];
    const runtime = new FakeRuntime(() => {
      seen.push('plugin');
      return [];
    });
    const service = new Service({
      name: 'test',
      runtime,
      admission: new Admission({ permits: 1, queue: 0 }),
      prepare: () => [textFrame('in', 'fetched')],
      resources: null,
      streams,
      record: (frames) => seen.push(...frames.map(({ key, data }) => `${key}=${Buffer.from(data).toString()}`)),
    });
    await service.once(callWith(), new CountedInput(), service.admit());
    expect(seen).toEqual(['in=fetched', 'plugin']);
    const session = service.open(callWith(), 0);
    session.put(0, new CountedInput());
    await expect.poll(() => runtime.streams[0]?.written.length).toBe(1);
    await session.close(new AigesError('releasedHandle'));
    expect(seen).toHaveLength(2);
  });

  it('counts its streams until the plugin has let go of them', async () => {
    const hold = gate();
    const runtime = new FakeRuntime();
    runtime.openStream = () => {
      const stream = new FakeStream(runtime);
      const close = stream.close.bind(stream);
      stream.close = () => hold.promise.then(close);
      return stream;
    };
    const service = serviceOn(runtime);
    const session = service.open(callWith(), 0);
    expect(service.sessions).toBe(1);
    expect(() => service.open(callWith(), 0)).toThrow('license');
    expect(service.sessions).toBe(1);
    await expect.poll(() => runtime.streams.length).toBe(1);
    const closed = session.close(new AigesError('releasedHandle'));
    expect(service.sessions).toBe(1);
    hold.open();
    await closed;
    expect(service.sessions).toBe(0);
  });

  it('does not start a call that names a resource which is not loaded, and frees permit and input', async () => {
    const { service, runtime } = await serviceWithResources();
    const input = new CountedInput();
    await expect(service.once(callWith({ resourceIds: [5] }), input, service.admit())).rejects.toMatchObject({
      code: 10009,
      detail: 'resource 5 is not loaded',
    });
    expect(runtime.calls).toBe(0);
    expect(input.released).toBe(1);
    expect(service.load.running).toBe(0);
  });

  it('keeps a resource until the plugin has returned, also when the client has left', async () => {
    const hold = gate<readonly Frame[]>();
    const { service, runtime, resources } = await serviceWithResources(() => hold.promise);
    await resources.load(5, new CountedInput(), never);
    const client = new AbortController();
    const call = service.once(
      callWith({ resourceIds: [5], signal: client.signal }),
      new CountedInput(),
      service.admit(),
    );
    client.abort(new AigesError('timeout'));
    await expect(call).rejects.toMatchObject({ kind: 'timeout' });
    const unload = resources.unload(5, never);
    await new Promise((resolve) => setImmediate(resolve));
    expect(runtime.resources.has(5)).toBe(true);
    hold.open([]);
    await unload;
    expect(runtime.resources.has(5)).toBe(false);
  });

  it('keeps a resource until the stream that uses it has been closed', async () => {
    const { service, runtime, resources } = await serviceWithResources();
    await resources.load(5, new CountedInput(), never);
    expect(() => service.open(callWith({ resourceIds: [5, 6] }), 0)).toThrow(AigesError);
    expect(service.load.running).toBe(0);
    const session = service.open(callWith({ resourceIds: [5] }), 0);
    const unload = resources.unload(5, never);
    await new Promise((resolve) => setImmediate(resolve));
    expect(runtime.streams).toHaveLength(1);
    expect(runtime.resources.has(5)).toBe(true);
    await session.close(new AigesError('releasedHandle'));
    await unload;
    expect(runtime.resources.has(5)).toBe(false);
  });

  it('offers no resources when the plugin takes none, or when clients are not to load any', async () => {
    const runtime = new FakeRuntime(() => []);
    const service = serviceOn(runtime);
    runtime.takesResources = true;
    await service.start(emptyMap);
    expect(service.resources).toBeNull();
    const other = serviceOn(new FakeRuntime(() => []), { permits: 1, queue: 1 }, 10);
    await other.start(emptyMap);
    expect(other.resources).toBeNull();
  });

  it('waits for operations on resources when it drains, and unloads the rest before the plugin ends', async () => {
    const { service, runtime, resources } = await serviceWithResources();
    await resources.load(1, new CountedInput(), never);
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const load = resources.load(2, new CountedInput(), never);
    await new Promise((resolve) => setImmediate(resolve));
    let drained = false;
    const drain = service.drain().then(() => (drained = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([drained, service.inside]).toEqual([false, 1]);
    loading.open();
    await Promise.all([load, drain]);
    runtime.onUnload = (id) => {
      expect(runtime.stopped).toBe(0);
      if (id === 1) throw new AigesError('unloadFailed', { message: 'no;code=4', pluginCode: 4 });
    };
    expect(await service.stop()).toEqual([expect.objectContaining({ message: 'no;code=4' })]);
    expect(runtime.stopped).toBe(1);
    expect([...runtime.resources.keys()]).toEqual([1]);
  });

  it('takes nothing new while it drains', async () => {
    const service = serviceOn(new FakeRuntime(() => []));
    await service.drain();
    expect(service.accepting).toBe(false);
    await expect(service.once(callWith(), new CountedInput())).rejects.toMatchObject({ kind: 'shuttingDown' });
  });
});

describe('Service.admit', () => {
  it('refuses at once beyond the permits', async () => {
    const service = serviceOn(new FakeRuntime());
    const permit = service.admit();
    expect(() => service.admit()).toThrow('service license not enough');
    permit.release();
    const draining = service.drain();
    expect(() => service.admit()).toThrow('service is shutting down');
    await draining;
  });

  it('lets in a call that begins later and then owns the permit, however it ends', async () => {
    const runtime = new FakeRuntime((_call, frames) => frames);
    const service = serviceOn(runtime);
    const input = new CountedInput();
    const output = await service.once(callWith(), input, service.admit());
    expect(output.frames).toEqual(input.frames);
    expect(service.load.running).toBe(0);
    output.release();

    const late = new CountedInput();
    const signal = AbortSignal.abort(new AigesError('timeout'));
    await expect(service.once(callWith({ signal }), late, service.admit())).rejects.toMatchObject({ code: 10102 });
    expect(service.load.running).toBe(0);
    expect(late.released).toBe(1);
    expect(runtime.calls).toBe(1);
  });

  it('gives its permit back after what was held with it', async () => {
    const service = serviceOn(new FakeRuntime());
    const held = service.hold(() => Promise.resolve(service.load.running), service.admit());
    expect(await held).toBe(1);
    expect(service.load.running).toBe(0);
  });
});

describe('Service.checkInputs', () => {
  const frames = (...names: readonly string[]): readonly Frame[] => names.map((name) => textFrame(name, 'x'));
  const start = async (configured: readonly string[] | null, declared: readonly string[] | null): Promise<Service> => {
    const runtime = new FakeRuntime();
    runtime.inputs = declared;
    const admission = new Admission({ permits: 1, queue: 0 });
    const service = new Service({
      name: 'test',
      runtime,
      admission,
      prepare,
      resources: null,
      streams: { ...streams, inputs: configured },
    });
    await service.start(emptyMap);
    return service;
  };
  const message = 'input invalid data';

  it('refuses an input that the plugin does not declare, and says which there are', async () => {
    const service = await start(null, ['audio', 'text']);
    service.checkInputs(frames('text', 'audio'));
    expect(() => {
      service.checkInputs(frames('text', 'video'));
    }).toThrow(
      expect.objectContaining({
        code: 10009,
        message,
        detail: 'the packet has input "video", the service has "audio", "text"',
      }) as Error,
    );
  });

  it('goes by the configuration where that names inputs', async () => {
    const service = await start(['video'], ['audio']);
    service.checkInputs(frames('video'));
    expect(() => {
      service.checkInputs(frames('audio'));
    }).toThrow(message);
  });

  it('takes any input where nobody declares them', async () => {
    (await start(null, null)).checkInputs(frames('anything', ''));
  });
});

describe('Service.open', () => {
  it.each([
    ['configured', ['one', 'two'], null],
    ['declared by the plugin', null, ['one', 'two']],
  ])('ends the input of a stream with the last input that is %s', async (_name, configured, declared) => {
    const runtime = new FakeRuntime();
    runtime.inputs = declared;
    const service = new Service({
      name: 'test',
      runtime,
      admission: new Admission({ permits: 1, queue: 0 }),
      prepare,
      resources: null,
      streams: { ...streams, inputs: configured },
    });
    await service.start(emptyMap);
    const session = service.open(callWith(), 0);
    const input = (key: string): Input => ({
      frames: [textFrame(key, 'x', { status: DataStatus.end })],
      release: () => undefined,
    });
    session.put(0, input('one'));
    session.put(1, input('two'));
    await expect
      .poll(() => runtime.streams[0]?.written)
      .toEqual([
        { text: 'x', last: false },
        { text: 'x', last: true },
      ]);
    await session.close(new AigesError('releasedHandle'));
  });
});
