import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { accuracy, MIN_ACCURACY } from '../../demo/digits/accuracy.mjs';
import { type Digit, loadHeldOut, loadTraining } from '../../demo/digits/data.mjs';
import { counters } from '../../src/runtimes/native/index.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { patience } from '../fixtures/loader.js';
import { packed, WsClient } from '../fixtures/ws-client.js';
import { callXsf, onceInput, onceRequest } from '../fixtures/xsf-client.js';

const inDemo = (file: string): string => fileURLToPath(new URL(`../../demo/digits/${file}`, import.meta.url));

describe('the digit classifier behind the loader', () => {
  const heldOut = loadHeldOut();
  let loader: RunningHost;
  let answers: number[];

  beforeAll(async () => {
    loader = await startHost({
      plugin: { path: inDemo('build/libwrapper.so') },
      service: { pluginConfig: new Map([['weights', inDemo('weights.bin')]]), maxConcurrent: 8 },
    });
    answers = await classifyAll(loader, heldOut);
  }, 600_000);

  afterAll(async () => {
    await loader.stop();
    await vi.waitFor(() => {
      expect(counters()).toMatchObject({ jobsRunning: 0, outputsAlive: 0, pins: 0 });
    }, patience);
  });

  it('has never been shown the digits that it is tested on', () => {
    const hash = ({ bytes }: Digit): string => createHash('sha256').update(bytes).digest('hex');
    const learnt = new Set(loadTraining().map(hash));
    expect(heldOut.length).toBeGreaterThanOrEqual(2000);
    expect(heldOut.filter((digit) => learnt.has(hash(digit)))).toEqual([]);
  });

  it('reads at least 97 % of the held-out digits right', () => {
    expect(accuracy(answers, labels(heldOut))).toBeGreaterThanOrEqual(MIN_ACCURACY);
  });

  it('is far from that when its answers are dealt to other digits', () => {
    const key = (index: number): number => createHash('sha256').update(String(index)).digest().readUInt32LE();
    const shuffled = answers
      .map((answer, index) => ({ answer, key: key(index) }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ answer }) => answer);
    expect(accuracy(shuffled, labels(heldOut))).toBeLessThan(0.3);
  });

  it('answers over WebSocket, with and without base64, one frame with one frame', async () => {
    const [digit] = heldOut;
    const bytes = digit?.bytes ?? new Uint8Array();
    const expected = await classify(loader, bytes);
    const url = `${loader.httpUrl}/v1/private/svc`;

    const plain = await WsClient.connect(url);
    plain.send({ payload: { img: { image: Buffer.from(bytes).toString('base64') } } });
    const frames = await plain.rest();
    expect(frames.map(({ header }) => header.status)).toEqual([3]);
    // The engine says that its text is JSON.
    expect(frames.map(({ payload }) => payload?.['result']?.['text'])).toEqual([JSON.parse(expected)]);
    expect(await plain.ended).toEqual({ code: 1000, reason: '' });

    const binary = await WsClient.connect(url, ['aiges.binary']);
    binary.socket.send(packed({ payload: { img: { image: bytes.length } } }, bytes));
    await binary.ended;
    expect(binary.messages.map(({ data }) => data.toString().endsWith(`}}}${expected}`))).toEqual([true]);
  });

  it('answers JSON text', async () => {
    const [digit] = heldOut;
    const text = await classify(loader, digit?.bytes ?? new Uint8Array());
    expect(JSON.parse(text)).toMatchObject({
      digit: expect.any(Number) as number,
      confidence: expect.any(Number) as number,
    });
  });
});

function labels(digits: readonly Digit[]): number[] {
  return digits.map(({ label }) => label);
}

async function classifyAll(loader: RunningHost, digits: readonly Digit[]): Promise<number[]> {
  const answers: number[] = [];
  // As many at a time as there are licences.
  const lanes = Array.from({ length: 8 }, async (_, lane) => {
    for (let index = lane; index < digits.length; index += 8) {
      const text = await classify(loader, digits[index]?.bytes ?? new Uint8Array());
      answers[index] = (JSON.parse(text) as { digit: number }).digit;
    }
  });
  await Promise.all(lanes);
  return answers;
}

async function classify(loader: RunningHost, bytes: Uint8Array): Promise<string> {
  const input = onceInput({
    params: {},
    pl: [{ meta: { name: 'img', dataType: 2, attribute: { status: '3' } }, data: bytes }],
  });
  const { output } = await callXsf(loader.client, onceRequest(input));
  if (output?.code !== 0) throw new Error(`code ${output?.code ?? -1}: ${output?.err ?? ''}`);
  return Buffer.from(output.pl[0]?.data ?? []).toString();
}
