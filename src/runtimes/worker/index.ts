export type { ThreadInfo } from './protocol.js';
export { createWorkerRuntime, describeWrapper, type WorkerOptions } from './worker-runtime.js';
