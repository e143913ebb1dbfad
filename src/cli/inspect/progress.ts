import type { Probed } from '../../runtimes/load.js';

/** What the child says, a line each: the step that begins, and in the end what it has found. */
export type Progress =
  { readonly step: 'dlopen' | 'wrapperVersion' } | { readonly step: 'done'; readonly probed: Probed };

/** Standard output and error are the library's. */
export const progressFd = 3;
