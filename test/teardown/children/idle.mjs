/** Leaves an engine open and idle, with its records being read: must not keep the process. */
import { addon, exec, open } from './addon.mjs';

const engine = await open();
void addon.records(engine);
const { frames } = await exec(engine, { do: 'reply' });
console.log(Buffer.from(frames[0].data).toString());
