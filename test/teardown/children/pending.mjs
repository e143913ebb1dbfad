/** Nothing but a pending call holds the loop: the process must live until the engine answers. */
import { blocked, exec, execAsync, open } from './addon.mjs';

const engine = await open();
const start = process.argv[2] === 'async' ? execAsync : exec;
const params = process.argv[2] === 'async' ? { callback: 'late', gate: 'g' } : { do: 'wait', gate: 'g' };
void start(engine, params).then(({ frames }) => {
  console.log(Buffer.from(frames[0].data).toString());
});
await blocked(engine, 1);
// The answer of this call is not awaited: at the end of this file both are pending, and nothing else is.
void exec(engine, { do: 'open', gate: 'g' });
