/** What the children of the teardown tests share: the addon itself, without TypeScript around it. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);
const library = fileURLToPath(new URL('build-tests/plain/fixtures/scripted.so', root));

export const addon = createRequire(import.meta.url)(
  process.env.AIGES_ADDON ?? fileURLToPath(new URL('build/Release/aiges.node', root)),
);

const options = {
  nullForEmpty: false,
  copyInput: false,
  lease: false,
  leasedBytes: 1e9,
  abandoned: 100,
  tagGraceMs: 60_000,
  streamResults: 1000,
  streamBytes: 1e9,
  outputBytes: 1e9,
  maxThreads: 4,
};

export async function open(overrides = {}, config = []) {
  const { engine } = await addon.open(library, config, { ...options, ...overrides });
  return engine;
}

export function frame(data) {
  return { key: 'in', data, type: 0, status: 3, desc: [] };
}

let calls = 0;

/** One call; `params` is an object. */
export function exec(engine, params, data = Buffer.from('hello'), start = addon.exec) {
  const tag = params.tag ?? `${process.pid}-${++calls}`;
  return start(engine, tag, Object.entries(params).flat(), [frame(data)], [], null);
}

export const execAsync = (engine, params, data) => exec(engine, params, data, addon.execAsync);

/** Until so many calls are blocked at a gate of the engine. */
export async function blocked(engine, count) {
  for (;;) {
    const { frames } = await exec(engine, { do: 'stats' });
    if (Buffer.from(frames[0].data).includes(`waiting=${count} `)) return;
  }
}
