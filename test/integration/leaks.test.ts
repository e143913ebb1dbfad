import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileGate } from '../fixtures/file-gate.js';
import { expectServing, type Loader, startLoader, variants } from '../fixtures/loader.js';
import { encodeInput, encodeRequest } from '../fixtures/protocol.js';
import { callXsf, onceInput, onceRequest } from '../fixtures/xsf-client.js';

const permits = 8;
/** Milliseconds for 10,000 requests on a busy machine. */
const timeout = 10 * 60_000;

describe.each(variants)('nothing is left behind in $name', { timeout }, (variant) => {
  let loader: Loader;

  beforeEach(async () => {
    // Damage can turn a one-shot call into a stream that nobody goes on with.
    loader = await startLoader(variant, { permits, streams: { ttlMs: 50, rollMs: 10 } });
  });

  afterEach(async () => {
    await loader.stop();
  });

  it('after 10,000 good requests', async () => {
    const sizes = [0, 10, 5_000, 70_000];
    let good = 0;
    await inLanes(10_000, async (n) => {
      const data = Buffer.alloc(sizes[n % sizes.length] ?? 0, n % 251);
      const input = onceInput({ pl: [{ meta: { name: 'input', attribute: { status: '3' } }, data }] });
      const { output } = await callXsf(loader.client, onceRequest(input));
      if (output?.code === 0 && Buffer.compare(output.pl[0]?.data ?? Buffer.alloc(0), data) === 0) good++;
    });
    expect(good).toBe(10_000);
  });

  it('after 10,000 malformed requests, and it still serves', async () => {
    const valid = encodeRequest(onceRequest());
    const codes = new Map<string, number>();
    await inLanes(10_000, async (n) => {
      const answer = await callXsf(loader.client, malformed(valid, n));
      const key = `${answer.status}/${String(answer.output?.code)}`;
      codes.set(key, (codes.get(key) ?? 0) + 1);
    });
    // Both layers have been hit, and nothing unforeseen came back.
    expect(codes.get('13/undefined')).toBeGreaterThan(100);
    expect(codes.get('0/10401')).toBeGreaterThan(100);
    expect([...codes.keys()].filter((key) => key.endsWith('/10002') || key.startsWith('2/'))).toEqual([]);
    await expectServing(loader);
  });

  it('after a client was killed in the middle of its calls', async () => {
    const gate = new FileGate();
    const input = encodeInput(onceInput({ params: gate.params }));
    const request = encodeRequest(onceRequest(input, { param: { SeqNo: '1', waitTime: '60000' } }));
    const script = fileURLToPath(new URL('../fixtures/doomed-client.mjs', import.meta.url));
    const client = spawn(process.execPath, [script, String(loader.port), String(permits)], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    client.stdin.end(request);
    await gate.entered();
    client.kill('SIGKILL');
    await once(client, 'close');
    gate.open();
    gate.remove();
    await expectServing(loader);
  });
});

/** Runs as many at a time as there are licences, so that none is refused. */
async function inLanes(count: number, step: (n: number) => Promise<void>): Promise<void> {
  const lanes = Array.from({ length: permits }, async (_, lane) => {
    for (let n = lane; n < count; n += permits) await step(n);
  });
  await Promise.all(lanes);
}

/** A request with one kind of damage or another, the same one for the same number. */
function malformed(valid: Buffer, n: number): Buffer {
  switch (n % 4) {
    case 0:
      return valid.subarray(0, n % valid.length);
    case 1: {
      const bytes = Buffer.from(valid);
      bytes[n % bytes.length] = (n * 31) % 256;
      return bytes;
    }
    case 2:
      return encodeRequest(onceRequest(Buffer.from([0x3a, 0x7f, n % 256])));
    default:
      return encodeRequest(onceRequest(onceInput({ pl: [{ data: Buffer.from('nameless') }] })));
  }
}
