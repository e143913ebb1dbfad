/** Leaves an answer on lease, and one that is collected. */
import { exec, open } from './addon.mjs';

const engine = await open({ lease: true });
globalThis.kept = await exec(engine, { do: 'fill', bytes: '100000' });
await exec(engine, { do: 'fill', bytes: '100000' });
console.log(globalThis.kept.frames[0].data.length);
