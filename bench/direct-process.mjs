// The engine called without any network: node direct-process.mjs '{"engine":…,"size":…,"lanes":…}'
import { checkBytes, payloadOf } from '../build-bench/messages.js';
import { drive } from '../build-bench/drive.js';
import { serveJobs } from '../build-bench/jobs.js';
import { createNativeRuntime } from '../dist/runtimes/native/index.js';

const { engine, size, lanes } = JSON.parse(process.argv[2]);
const runtime = createNativeRuntime({ path: engine });
const started = runtime.start(new Map());
const payload = payloadOf(size);
const frames = [{ key: 'input', data: payload, type: 1, status: 3, desc: new Map() }];
const { signal } = new AbortController();
let count = 0;

const caller = {
  async call() {
    const tag = String(count++);
    const call = { sid: '', tag, params: new Map(), resourceIds: [], expect: null, signal, deadline: Infinity };
    const output = await runtime.once(call, frames);
    try {
      checkBytes(output.frames[0].data, payload);
      return payload.length;
    } finally {
      output.release();
    }
  },
  close: () => undefined,
};

serveJobs(async (calls) => {
  await started;
  return drive([caller], lanes, calls);
});
