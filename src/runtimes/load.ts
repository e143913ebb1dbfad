import type { PluginRuntime } from '../core/runtime.js';
import { createNativeRuntime, type NativeOptions } from './native/index.js';
import { createWorkerRuntime, type WorkerOptions } from './worker/index.js';

export { bindToNode, counters, type Probed, probeLibrary } from './native/index.js';
export { ReloadingRuntime } from './reloading-runtime.js';
export { describeWrapper } from './worker/index.js';

type NativeChoice = { readonly kind: 'native' } & Required<
  Pick<NativeOptions, 'path' | 'asyncMode' | 'input' | 'output' | 'emptyList' | 'abandon' | 'tagGraceMs'>
>;
type NodeChoice = { readonly kind: 'node' } & Pick<WorkerOptions, 'path' | 'instances' | 'execLimitMs' | 'heapMiB'>;

/** What to run, by kind. */
export type PluginChoice = NativeChoice | NodeChoice;

export type RuntimeSurroundings = Required<
  Pick<
    NativeOptions,
    'maxThreads' | 'leasedBytes' | 'abandoned' | 'streamResults' | 'streamBytes' | 'outputBytes' | 'onMeter' | 'onTrace'
  >
> &
  Pick<WorkerOptions, 'onLog'>;

/** Takes what a plugin logs and prints. */
export type PluginLog = RuntimeSurroundings['onLog'];

/** The one place that knows which kinds of plugins there are. */
export function loadRuntime(plugin: PluginChoice, surroundings: RuntimeSurroundings): PluginRuntime {
  if (plugin.kind === 'native') return createNativeRuntime({ ...plugin, ...surroundings });
  const { onLog, onMeter, onTrace, ...engineLimits } = surroundings;
  return createWorkerRuntime({ ...plugin, engineLimits, onLog, onMeter, onTrace });
}
