/** Only a worker loads the addon, and its engine is still running when the worker and its copy of the addon go. */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  await once(worker, 'message');
  await worker.terminate();
  console.log('terminated');
  process.exit(0);
} else {
  const { blocked, exec, open } = await import('./addon.mjs');
  const engine = await open();
  void exec(engine, { do: 'wait', gate: 'never opened' });
  await blocked(engine, 1);
  parentPort.postMessage('ready');
  await new Promise(() => undefined);
}
