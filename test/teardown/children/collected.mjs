/** Forgets to release answers: the garbage collector gives them back, and an engine that nobody holds ends. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { addon, exec, open } from './addon.mjs';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

async function forget() {
  const engine = await open({ lease: true });
  for (let i = 0; i < 10; i++) await exec(engine, { do: 'fill', bytes: '100000' });
  console.log(addon.counters().outputsAlive);
}

async function until(condition) {
  while (!condition(addon.counters())) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await forget();
await until(({ outputsAlive, leasedBytes }) => outputsAlive === 0 && leasedBytes === 0);
await until(({ engines }) => engines === 0);
console.log('collected');
