/** Forgets open streams: the garbage collector destroys them. One whose results somebody awaits keeps the process. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { addon, frame, open } from './addon.mjs';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

async function forget(async) {
  const engine = await open();
  const stream = await addon.openStream(engine, `forgotten ${async}`, ['end', 'never'], [], async);
  await addon.writeStream(stream, [frame(Buffer.from('x'))]);
}

await forget(false);
await forget(true);
console.log(addon.counters().sessions);
while (addon.counters().sessions > 0 || addon.counters().engines > 0) {
  gc();
  await new Promise((resolve) => setImmediate(resolve));
}
console.log(addon.counters().asyncWaiting, addon.counters().tombstones);
