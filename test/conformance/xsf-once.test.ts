import { describe, expect, it } from 'vitest';
import { useLoader, variants } from '../fixtures/loader.js';
import { callXsf, onceInput, onceRequest } from '../fixtures/xsf-client.js';

describe.each(variants)('one-shot calls over xsf to $name', (variant) => {
  const permits = 4;
  const loader = useLoader(variant, { permits });

  it('pass a payload of any size unchanged', async () => {
    for (const size of [1, 1000, 65_535, 65_536, 65_537, 1 << 20, 4_000_000]) {
      const data = Buffer.alloc(size, `${size}-`);
      const input = onceInput({ pl: [{ meta: { name: 'input', attribute: { status: '3' } }, data }] });
      const answer = await callXsf(loader().client, onceRequest(input));
      expect(answer.output?.code).toBe(0);
      expect(Buffer.compare(answer.output?.pl[0]?.data ?? Buffer.alloc(0), data)).toBe(0);
    }
  });

  it('meet no spurious refusal with as many clients as licences', async () => {
    const codes = new Set<number | undefined>();
    const lanes = Array.from({ length: permits }, async () => {
      for (let round = 0; round < 100; round++) {
        codes.add((await callXsf(loader().client, onceRequest())).output?.code);
      }
    });
    await Promise.all(lanes);
    expect([...codes]).toEqual([0]);
  });
});
