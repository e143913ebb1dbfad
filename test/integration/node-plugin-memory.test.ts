import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { wireOptions } from '../fixtures/grpc-servers.js';
import { testConfig } from '../fixtures/host.js';
import { framed, Http2Client } from '../fixtures/http2-client.js';
import { patience } from '../fixtures/loader.js';
import { LoaderProcess } from '../fixtures/loader-process.js';
import { encodeRequest } from '../fixtures/protocol.js';
import { onceInput, onceRequest } from '../fixtures/xsf-client.js';

// A request of 10 MiB and its answer live as long as somebody needs them, not until a garbage collector that sees a few
// small objects gets round to them. All of it is 5,000 requests (npm run workload); npm test does a part.
const requests = process.env['AIGES_WORKLOAD'] === 'whole' ? 5000 : 400;
const mebibyte = 1 << 20;
const size = 10 * mebibyte;
const allowed = 400 * mebibyte;

const limits = { maxReceiveBytes: 32 * mebibyte, maxSendBytes: 32 * mebibyte };
let loader: LoaderProcess;
let client: Http2Client;

beforeAll(async () => {
  loader = new LoaderProcess();
  const port = await loader.start(
    testConfig({
      plugin: {
        kind: 'node',
        path: fileURLToPath(new URL('../fixtures/wrappers/scripted.ts', import.meta.url)),
        instances: 1,
        execLimitMs: 60_000,
        heapMiB: null,
      },
      grpc: { ...limits, wire: wireOptions(limits) },
    }),
  );
  client = new Http2Client(port, { window: size });
});

afterAll(async () => {
  client.close();
  expect(await loader.stop()).toEqual([{ stuck: 0, ended: true }]);
});

describe('one thread that takes and gives 10 MiB at a time', () => {
  it.each([
    ['gives the buffer of its answer away', 'own', 'data', 2],
    ['gives back what it received', 'back', 'data', 2],
    ['answers in a few bytes', 'sum', 'result', 0],
  ])(
    'and %s stays small',
    async (_, what, name, type) => {
      const payload = { meta: { name: 'data', dataType: 2, attribute: { status: '3' } }, data: Buffer.alloc(size, 1) };
      const input = onceInput({ params: { do: what }, expect: [{ name, dataType: type }], pl: [payload] });
      const message = framed(encodeRequest(onceRequest(input)));
      let lengths = 0;
      const lane = async (): Promise<void> => {
        for (let n = 0; n < requests / 3 / 2; n++) {
          const { status, body } = await client.call('/utils.XsfCall/call', message);
          expect(status).toBe(0);
          lengths += body.length;
        }
      };
      await Promise.all([lane(), lane()]);
      if (type === 2) expect(lengths).toBeGreaterThan((requests / 3) * size);
      expect(await loader.peakBytes()).toBeLessThan(allowed);
      await vi.waitFor(async () => {
        expect(await loader.counters()).toMatchObject({ loans: 0, pins: 0 });
      }, patience);
    },
    30 * 60_000,
  );
});
