import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Collector } from '../../../../src/runtimes/worker/collector.js';

const mebibyte = 1 << 20;

let collected: string[];
let alive: number;
let collector: Collector;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  collected = [];
  alive = 0;
  collector = new Collector(
    () => alive,
    (options) => collected.push(options?.type ?? 'major'),
  );
});

afterEach(() => {
  vi.useRealTimers();
});

async function borrow(bytes: number): Promise<void> {
  alive += bytes;
  await collector.borrowed(bytes);
}

describe('Collector', () => {
  it('does nothing for calls that borrow nothing', async () => {
    for (let n = 0; n < 100; n++) await borrow(0);
    vi.advanceTimersByTime(60_000);
    expect(collected).toEqual([]);
  });

  it('collects what is young each time that much has been borrowed', async () => {
    for (let n = 0; n < 16; n++) {
      await borrow(10 * mebibyte);
      alive = 10 * mebibyte;
    }
    expect(collected).toEqual(['minor', 'minor', 'minor', 'minor']);
  });

  it('collects everything when that does not help, and less often for a wrapper that keeps what it got', async () => {
    for (let n = 0; n < 200; n++) await borrow(10 * mebibyte);
    // 2,000 MiB are kept: at 128, 256, 512 and 1,024.
    expect(collected.filter((kind) => kind === 'major')).toHaveLength(4);
  });

  it('collects everything sooner again when a wrapper has let go of what it kept', async () => {
    for (let n = 0; n < 200; n++) await borrow(10 * mebibyte);
    alive = 0;
    await borrow(32 * mebibyte);
    collected = [];
    for (let n = 0; n < 13; n++) await borrow(10 * mebibyte);
    expect(collected).toContain('major');
  });

  it('lets the finalizers run before the call goes on', async () => {
    let finalized = false;
    setImmediate(() => (finalized = true));
    await borrow(64 * mebibyte);
    expect(finalized).toBe(true);
  });

  it('collects the rest once when nothing has been borrowed for a while', async () => {
    await borrow(mebibyte);
    vi.advanceTimersByTime(900);
    await borrow(mebibyte);
    vi.advanceTimersByTime(900);
    expect(collected).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(collected).toEqual(['major']);
    vi.advanceTimersByTime(60_000);
    expect(collected).toEqual(['major']);
  });
});
