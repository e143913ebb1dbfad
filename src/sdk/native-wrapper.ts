import type { StringMap } from '../core/frame.js';
import { brands } from './brand.js';
import { type Engine, type EngineAnswer, LoadedEngine } from './engine.js';
import { isParamField } from './fields.js';
import type { EngineOptions, NativePlugin } from './native-plugin.js';
import { Response, ResponseData } from './response.js';
import type { OnceRequest, StreamResult, StreamSession, WrapperResult } from './types.js';
import { type MaybePromise, type StreamResults, WrapperBase } from './wrapper-base.js';

/**
 * A plugin around a C engine: its author prepares what the engine gets and works on what it gives, in TypeScript. The
 * bytes of a request reach the engine where they were received, and what it gives goes out without a copy in between.
 * What is not written passes everything on.
 *
 * The engine is loaded before `init` and ends after `fini`. All threads of a plugin share one engine.
 */
export abstract class NativeWrapper<Req extends object = object, Res extends object = object> extends WrapperBase<
  Req,
  Res
> {
  /** The engine: a path that starts at the folder of the wrapper's file, or a `file:` URL. */
  abstract readonly library: string | URL;
  readonly engineOptions: EngineOptions = {};
  #engine: LoadedEngine | null = null;

  constructor() {
    super();
    const plugin: NativePlugin = {
      forwards: () => ({
        once: this.onceExec === NativeWrapper.prototype.onceExec,
        stream: this.stream === NativeWrapper.prototype.stream,
      }),
      attach: async (port, config) => {
        const library: unknown = this.library;
        if (!(library instanceof URL) && (typeof library !== 'string' || library === '')) {
          throw new TypeError(`expected the path of an engine for library but found ${JSON.stringify(library)}`);
        }
        this.#engine = await LoadedEngine.load(library, this.engineOptions, this.engineConfig(config), port);
        return this.#engine.capabilities;
      },
      detach: async () => {
        const engine = this.#engine;
        this.#engine = null;
        await engine?.stop();
      },
    };
    Object.defineProperty(this, brands.nativePlugin, { value: plugin });
  }

  /** There from `init` to `fini`. */
  protected get engine(): Engine {
    if (this.#engine === null) {
      throw new TypeError('the engine is there from init to fini, not in a constructor and not afterwards');
    }
    return this.#engine;
  }

  /** What `wrapperInit` gets: everything that `init` gets, unless this says otherwise. */
  protected engineConfig(config: StringMap): StringMap {
    return config;
  }

  override onceExec(request: OnceRequest<Req>): MaybePromise<WrapperResult<Res>> {
    return this.#once(request);
  }

  override stream(session: StreamSession<Req>): StreamResults<Res> {
    return this.#stream(session);
  }

  async #once(request: OnceRequest<Req>): Promise<Response> {
    return responseOf(
      await this.engine.once({ params: wireParams(this.requestCls, request), inputs: request.frames }, request),
    );
  }

  async *#stream(session: StreamSession<Req>): AsyncGenerator<StreamResult<Res>, void> {
    const params = wireParams(this.requestCls, session);
    for await (const answer of this.engine.stream({ params, packets: session.packets }, session)) {
      yield responseOf(answer);
    }
  }
}

/** What the client sent, and the declared values of what it left out, by the names on the wire. */
function wireParams(
  declared: object,
  { params, rawParams }: Pick<OnceRequest<object>, 'params' | 'rawParams'>,
): StringMap {
  const given = new Map(Object.entries(params as Readonly<Record<string, string | number | boolean | undefined>>));
  const all = new Map(rawParams);
  for (const [property, field] of Object.entries(declared) as [string, unknown][]) {
    const value = given.get(property);
    if (!isParamField(field) || value === undefined) continue;
    const name = field.key ?? property;
    if (!all.has(name)) all.set(name, String(value));
  }
  return all;
}

function responseOf({ outputs }: EngineAnswer): Response {
  const response = new Response();
  response.list = outputs.map(
    ({ key, data, type, status, desc }) =>
      new ResponseData({ key, data, type, status, desc: Object.fromEntries(desc) }),
  );
  return response;
}
