/** An abandoned call whose callback never comes must not keep the process. */
import { addon, blocked, execAsync, open } from './addon.mjs';

const engine = await open();
const waiting = execAsync(engine, { tag: 'abandoned', callback: 'late', gate: 'never opened' });
await blocked(engine, 1);
console.log(addon.abandon('abandoned'));
await waiting.catch((error) => {
  console.log(error.code);
});
