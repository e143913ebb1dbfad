import { describe, expect, it } from 'vitest';
import { engineStats, useLoader, variants } from '../fixtures/loader.js';
import { StreamClient, textsOf } from '../fixtures/xsf-client.js';

describe.each(variants)('streams over xsf to $name', (variant) => {
  const permits = 4;
  const loader = useLoader(variant, { permits });

  it('meet no spurious refusal with as many clients as licences, and are destroyed once each', async () => {
    const before = await engineStats(loader());
    const codes = new Set<number | undefined>();
    const rounds = 100;
    const lanes = Array.from({ length: permits }, async () => {
      for (let round = 0; round < rounds; round++) {
        const stream = new StreamClient(loader().client);
        codes.add((await stream.create()).output?.code);
        const written = await stream.write(1, 'x', 2);
        codes.add(written.output?.code);
        // The answer to the write may have brought the result along.
        if (written.output?.status !== 2) await toEnd(stream);
      }
    });
    await Promise.all(lanes);
    expect([...codes]).toEqual([0]);
    const after = await engineStats(loader());
    expect(after('create') - before('create')).toBe(permits * rounds);
    expect(after('destroy') - before('destroy')).toBe(permits * rounds);
    expect(after('overlap')).toBe(0);
  });

  it('pass packets of any size unchanged, in their order', async () => {
    const stream = new StreamClient(loader().client);
    await stream.create();
    const sizes = [10, 65_535, 65_536, 1 << 20, 3_000_000];
    const texts = sizes.map((size) => `${size}-`.padEnd(size, 'x'));
    const found: string[] = [];
    for (const [index, text] of texts.entries()) {
      found.push(...textsOf(await stream.write(index + 1, text, index + 1 < texts.length ? 1 : 2)));
    }
    while (found.length < texts.length) found.push(...textsOf(await stream.poll()));
    expect(found.map((text) => text.length)).toEqual(sizes);
    expect(found.every((text, index) => text === texts[index])).toBe(true);
  });
});

/** Polls until the last result. */
async function toEnd(stream: StreamClient): Promise<void> {
  for (;;) {
    const { output } = await stream.poll();
    expect(output?.code).toBe(0);
    if (output?.status === 2) return;
  }
}
