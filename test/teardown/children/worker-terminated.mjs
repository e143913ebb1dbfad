/**
 * Terminates worker threads with calls in flight, again and again: the engine still reads its input, its answers and
 * callbacks find the environment gone. The main thread's engine, the same one, lives on.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { addon, blocked, exec, execAsync, open } from './addon.mjs';

const rounds = 5;

if (isMainThread) {
  const engine = await open({ maxThreads: 8 });
  for (let round = 0; round < rounds; round++) {
    const worker = new Worker(new URL(import.meta.url), { argv: [String(round)] });
    await once(worker, 'message');
    await worker.terminate();
    await exec(engine, { do: 'open', gate: `round ${round}` });
  }
  await blocked(engine, 0);
  await addon.close(engine);
  while (addon.counters().threads > 0) await new Promise((resolve) => setImmediate(resolve));
  const { jobsQueued, jobsRunning, outputsAlive, pins, asyncWaiting, tombstones, engines } = addon.counters();
  console.log(JSON.stringify({ jobsQueued, jobsRunning, outputsAlive, pins, asyncWaiting, tombstones, engines }));
} else {
  const engine = await open({ lease: true, maxThreads: 8 });
  const gate = `round ${process.argv[2]}`;
  globalThis.kept = await exec(engine, { do: 'fill', bytes: '100000' });
  void exec(engine, { do: 'wait', gate }, new Uint8Array(1 << 20));
  void execAsync(engine, { callback: 'late', gate }, new Uint8Array(1 << 20));
  void addon.records(engine);
  await blocked(engine, 2);
  // A storm of answers at the moment of termination.
  for (let i = 0; i < 200; i++) void exec(engine, { do: 'control' });
  parentPort.postMessage('ready');
  for (;;) await Promise.all([exec(engine, {}), exec(engine, { do: 'fill', bytes: '100000' }), execAsync(engine, {})]);
}
