import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { eventually } from '../fixtures/eventually.js';
import { testConfig } from '../fixtures/host.js';
import { LoaderProcess } from '../fixtures/loader-process.js';
import { RawWs, rawFrame } from '../fixtures/ws-client.js';

// WebSocket clients that do not read, against a loader in a process of its own: what they can make it hold is what
// docs/websocket.md says.

const MiB = 1024 * 1024;
const sessions = 64;
const results = 200;
const size = 64 * 1024;
const maxUnsentBytes = MiB / 4;
/** Of one session: 4 MiB that wait in it, what its connection may have, and a result on its way, twice, in base64. */
const held = 4 * MiB + maxUnsentBytes + 6 * size;
/** What V8 has not collected yet comes on top; all results together are 800 MiB, and more in base64. */
const most = sessions * held + 192 * MiB;

/** Milliseconds for more than 1 GiB of results on a busy machine. */
const patience = 10 * 60_000;
vi.setConfig({ testTimeout: patience });

const json = (document: unknown): Buffer => rawFrame({ opcode: 1, data: JSON.stringify(document) });

const wrapper = fileURLToPath(new URL('../fixtures/wrappers/pouring.ts', import.meta.url));

it('64 sessions with clients that do not read hold what is documented, and lose nothing', async () => {
  // Otherwise the C library keeps for itself what was freed, for each of many threads.
  const loader = new LoaderProcess({ MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: String(32 * 1024) });
  try {
    const { http } = await loader.startAll(
      testConfig({
        plugin: { kind: 'node', path: wrapper, instances: 1, execLimitMs: 60_000, heapMiB: null },
        service: { maxConcurrent: sessions + 1 },
        // No session is to end because the machine is busy.
        ws: { maxUnsentBytes, idleTimeoutMs: 0, sessionTimeoutMs: 0, pingMs: 0 },
      }),
    );
    const before = await loader.residentBytes();
    const clients = Array.from({ length: sessions }, (_, index) => {
      // The attributes come before the data.
      const client = new RawWs(http ?? 0, 300);
      client.shake('/v1/private/svc', index % 2 === 0 ? {} : { 'sec-websocket-protocol': 'aiges.binary' });
      client.write(json({ parameter: { svc: { results, bytes: size } } }));
      return client;
    });
    for (const client of clients) {
      // The acknowledgement.
      await eventually(() => client.frames.length).toBe(1);
      client.pause();
      client.write(json({ payload: { text: { text: '', status: 2 } } }));
    }
    const made = await madeWhenQuiet(`http://127.0.0.1:${String(http)}/v1/private/svc`);
    expect(made).toBeLessThan(sessions * results);
    expect((await loader.peakBytes()) - before).toBeLessThan(most);

    for (const client of clients) client.resume();
    const expected = Array.from({ length: results }, (_, index) => String(index + 1));
    for (const client of clients) {
      // The first has its last result hardly sooner than all the others.
      await expect.poll(() => client.frames.at(-1)?.opcode, { timeout: patience }).toBe(8);
      const seqs = client.frames.flatMap(({ data }) => /"seq":"(\d+)"/.exec(data.toString())?.[1] ?? []);
      expect(seqs).toEqual(expected);
      expect(client.frames.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(results * size);
      client.reset();
    }
    expect((await loader.peakBytes()) - before).toBeLessThan(most);
    expect(await loader.stop()).toEqual([{ stuck: 0, ended: true }]);
  } finally {
    loader.kill();
  }
});

/** How many results the plugin has made, once it makes none any more. */
async function madeWhenQuiet(url: string): Promise<number> {
  let last = 0;
  for (let quiet = 0; quiet < 3;) {
    const response = await fetch(url, { method: 'POST', body: '{"payload":{"text":{"text":""}}}' });
    const { payload } = (await response.json()) as { payload: { result: { audio: string } } };
    const made = Number(Buffer.from(payload.result.audio, 'base64').toString());
    quiet = made > 0 && made === last ? quiet + 1 : 0;
    last = made;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return last;
}
