/**
 * Ends with streams open, as `argv[2]` says: `end` with idle ones only, by itself; `exit` with process.exit and
 * `workers` with the termination of worker threads, while others are inside wrapperCreate and wrapperWrite.
 */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { addon, exec, frame, open } from './addon.mjs';

const [, , how, folder = mkdtempSync(join(tmpdir(), 'aiges-streams-'))] = process.argv;
const rounds = 5;
const gate = join(folder, 'gate');
const log = join(folder, 'log');

function openStream(engine, async, params) {
  return addon.openStream(engine, params.tag, Object.entries(params).flat(), [], async);
}

/** Until a call of a stream is at the file. */
async function entered(file) {
  while (!existsSync(`${file}.entered`)) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function leaveIdle(engine, round) {
  for (const async of [false, true]) {
    const idle = await openStream(engine, async, { tag: `idle ${async} ${round}`, destroyLog: log, end: 'never' });
    await addon.writeStream(idle, [frame(new Uint8Array(1 << 20))]);
    globalThis[`idle ${async}`] = idle;
  }
}

async function leaveOpen(round) {
  const engine = await open({ maxThreads: 8 });
  await leaveIdle(engine, round);
  void addon.streamResults(globalThis['idle true']);
  const busy = await openStream(engine, true, { tag: `busy ${round}`, write: 'waitFile', file: gate });
  void addon.writeStream(busy, [frame(new Uint8Array(100))]);
  void addon.streamResults(busy);
  void openStream(engine, true, { tag: `creating ${round}`, create: 'waitFile', file: `${gate}.create` });
  await Promise.all([entered(gate), entered(`${gate}.create`)]);
}

if (how === 'end') {
  await leaveIdle(await open(), 0);
  console.log(log);
} else if (how === 'exit') {
  await leaveOpen(0);
  console.log('exiting');
  process.exit(7);
} else if (isMainThread) {
  const engine = await open({ maxThreads: 8 });
  for (let round = 0; round < rounds; round++) {
    for (const file of [gate, `${gate}.create`]) {
      rmSync(file, { force: true });
      rmSync(`${file}.entered`, { force: true });
    }
    const worker = new Worker(new URL(import.meta.url), { argv: ['worker', folder], env: { ROUND: String(round) } });
    await once(worker, 'message');
    await worker.terminate();
    for (const file of [gate, `${gate}.create`]) writeFileSync(file, '');
    while (addon.counters().sessions > 0 || addon.counters().jobsRunning > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const { frames } = await exec(engine, { do: 'stats' });
  console.log(/handles=\d+ overlap=\d+/.exec(Buffer.from(frames[0].data).toString())[0]);
  await addon.close(engine);
  const { sessions, asyncWaiting, tombstones, pins, engines } = addon.counters();
  console.log(JSON.stringify({ sessions, asyncWaiting, tombstones, pins, engines }));
  console.log(readFileSync(log, 'utf8').trim().split('\n').length);
} else {
  await leaveOpen(process.env.ROUND);
  parentPort.postMessage('ready');
  // A storm of streams at the moment of termination.
  for (let i = 0; ; i++) {
    const engine = await open({ maxThreads: 8 });
    const stream = await openStream(engine, true, { tag: `storm ${process.env.ROUND} ${i}`, results: '10' });
    void addon.streamResults(stream);
    await addon.writeStream(stream, [frame(Buffer.from('x'))]);
    if (i % 2 === 0) await addon.closeStream(stream);
  }
}
