/** Calls process.exit while the engine blocks in wrapperExec, reading its input in place, and has callbacks to make. */
import { blocked, exec, execAsync, open } from './addon.mjs';

const engine = await open();
void exec(engine, { do: 'wait', gate: 'never opened' }, new Uint8Array(1 << 20));
void execAsync(engine, { callback: 'late', gate: 'never opened' }, new Uint8Array(1 << 20));
await blocked(engine, 2);
console.log('exiting');
process.exit(7);
