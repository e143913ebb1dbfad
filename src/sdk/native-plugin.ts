import type { StringMap } from '../core/frame.js';
import type { PluginRuntime } from '../core/runtime.js';
import { brands, isMarked } from './brand.js';

/** How an engine is driven. As the keys of `[plugin]` for engines that are served without a wrapper. */
export interface EngineOptions {
  /** Calls `wrapperExecAsync`, and gives streams a callback; false unless the engine offers nothing else. */
  readonly asyncMode?: boolean;
  /** `copy` is for engines that write into their input; `auto` hands large payloads over in place. */
  readonly input?: 'auto' | 'copy';
  /** What the engine sees of an empty list: one node without a key (`sentinel`), or NULL. */
  readonly emptyList?: 'sentinel' | 'null';
  /** When the signal of an asynchronous call aborts: let go of it (`release`), or wait for its callback. */
  readonly abandon?: 'release' | 'hold';
}

/** What an engine offers: answers to single requests, and streams. */
export interface EngineCapabilities {
  readonly once: boolean;
  readonly stream: boolean;
}

/** Where engines report what they count and trace. */
export interface EngineReports {
  readonly onMeter: (tag: string, key: string, count: number) => void;
  readonly onTrace: (tag: string, key: string, value: string) => void;
}

/** Makes the runtime of an engine, which is not started yet. Paths start at the folder of the wrapper's file. */
export type EngineOpener = (library: string | URL, options: EngineOptions, reports: EngineReports) => PluginRuntime;

/** What drivers do with a wrapper around an engine. */
export interface NativePlugin {
  /** The methods that the author has left as they are: they pass everything on to the engine. */
  forwards(): { readonly once: boolean; readonly stream: boolean };
  /** Loads the engine. @throws AigesError `initFailed` */
  attach(port: NativePluginPort, config: StringMap): Promise<EngineCapabilities>;
  /** Ends the engine's use. Idempotent. @throws AigesError `finiFailed` */
  detach(): Promise<void>;
}

export interface NativePluginPort {
  readonly openEngine?: EngineOpener;
  /** For what an engine reports when the call that it is about has ended. */
  meter(call: { readonly sid: string; readonly tag: string }, key: string, count: number): void;
  trace(call: { readonly sid: string; readonly tag: string }, key: string, value: string): void;
}

/** Null for a wrapper without an engine. */
export function nativePluginOf(wrapper: object): NativePlugin | null {
  if (!isMarked(wrapper, brands.nativePlugin)) return null;
  return (wrapper as Readonly<Record<symbol, NativePlugin>>)[brands.nativePlugin] ?? null;
}
