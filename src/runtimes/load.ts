import type { PluginRuntime } from '../core/runtime.js';
import { createNativeRuntime, type NativeOptions } from './native/index.js';

export { bindToNode, counters } from './native/index.js';

/** What to run, by kind. */
export type PluginChoice = { readonly kind: 'native' } & Required<
  Pick<NativeOptions, 'path' | 'asyncMode' | 'input' | 'output' | 'emptyList' | 'abandon' | 'tagGraceMs'>
>;

export type RuntimeSurroundings = Required<
  Pick<
    NativeOptions,
    'maxThreads' | 'leasedBytes' | 'abandoned' | 'streamResults' | 'streamBytes' | 'outputBytes' | 'onMeter' | 'onTrace'
  >
>;

/** The one place that knows which kinds of plugins there are. */
export function loadRuntime(plugin: PluginChoice, surroundings: RuntimeSurroundings): PluginRuntime {
  return createNativeRuntime({ ...plugin, ...surroundings });
}
