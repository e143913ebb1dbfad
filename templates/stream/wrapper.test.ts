import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testWrapper } from 'aiges-ts/testing';
import Wrapper from './wrapper.js';

/** A tenth of a second of samples that jump between +value and -value. */
function square(value: number): Uint8Array {
  return new Uint8Array(Int16Array.from({ length: 1600 }, (_, n) => (n % 2 === 0 ? value : -value)).buffer);
}

test('refuses half a sample', async () => {
  const wrapper = await testWrapper(Wrapper);
  await assert.rejects(wrapper.stream([{ audio: new Uint8Array(3) }]), /a packet ends within a sample;code=4001/);
});

test('gives a level for each packet, and one for all of them', async () => {
  const wrapper = await testWrapper(Wrapper);
  const answers = await wrapper.stream([{ audio: square(16384) }, { audio: square(0) }]);
  assert.deepEqual(
    answers.map(({ level }) => level?.json()),
    [
      { at: 0.1, rms: -6, peak: -6, active: true },
      { at: 0.2, rms: null, peak: null, active: false },
      { at: 0.2, rms: -9, peak: -6, active: true },
    ],
  );
  assert.deepEqual(wrapper.meters, [{ key: 'seconds', count: 1 }]);
});

test('takes the threshold of the client', async () => {
  const wrapper = await testWrapper(Wrapper);
  const [first] = await wrapper.stream([{ audio: square(16384) }], { params: { threshold: -3 } });
  assert.equal((first?.level?.json() as { active: boolean }).active, false);
});
