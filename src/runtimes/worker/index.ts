export { createWorkerRuntime, type WorkerOptions } from './worker-runtime.js';
