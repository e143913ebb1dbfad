// Answers of many large calls are let go, and the process becomes small again while it has nothing to do.
import { setTimeout as delay } from 'node:timers/promises';
import { addon, exec, open } from './addon.mjs';

const mebibyte = 1024 * 1024;
const engine = await open({ maxThreads: 16 });
const resident = () => process.memoryUsage.rss() / mebibyte;

await exec(engine, {});
const before = resident();
const payload = Buffer.alloc(10 * mebibyte, 1);
for (let round = 0; round < 2; round++) {
  const answers = await Promise.all(Array.from({ length: 32 }, () => exec(engine, {}, payload)));
  for (const { memory } of answers) addon.release(memory);
}

let kept = Infinity;
for (let i = 0; i < 300 && kept > 100; i++) {
  await delay(100);
  kept = resident() - before;
}
console.log(kept <= 100 ? 'small' : `${Math.round(kept)} MiB are kept`);
