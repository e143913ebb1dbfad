import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineOpener } from '../../sdk/native-plugin.js';
import { createNativeRuntime, type NativeOptions } from '../native/index.js';

/** What one engine may use of the process; as for engines that are served without a wrapper. */
export type EngineLimits = Pick<
  NativeOptions,
  'maxThreads' | 'leasedBytes' | 'abandoned' | 'streamResults' | 'streamBytes' | 'outputBytes'
>;

/** @param folder where the relative paths of engines start */
export function createEngineOpener(folder: string, limits: EngineLimits = {}): EngineOpener {
  return (library, options, reports) =>
    createNativeRuntime({
      ...limits,
      ...options,
      ...reports,
      path: library instanceof URL ? fileURLToPath(library) : resolve(folder, library),
    });
}
