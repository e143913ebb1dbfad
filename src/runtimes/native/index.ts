import type { Counters, Probed } from './addon.js';
import { loadAddon } from './addon.js';

export type { Counters, Probed } from './addon.js';
export type { NativeOptions } from './native-runtime.js';
export { createNativeRuntime, streamDefaults } from './native-runtime.js';
export { bindToNode } from './numa.js';

/** Opens a library in this process, which that may end; with `call`, asks for its version. */
export function probeLibrary(path: string, call: boolean): Probed {
  return loadAddon().probe(path, call);
}

/** What the native part holds and has done, for the whole process. */
export function counters(): Counters {
  return loadAddon().counters();
}
