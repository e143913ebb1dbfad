import type { Counters } from './addon.js';
import { loadAddon } from './addon.js';

export type { Counters } from './addon.js';
export type { NativeOptions } from './native-runtime.js';
export { createNativeRuntime } from './native-runtime.js';
export { bindToNode } from './numa.js';

/** What the native part holds and has done, for the whole process. */
export function counters(): Counters {
  return loadAddon().counters();
}
