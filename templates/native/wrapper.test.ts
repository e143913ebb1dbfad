import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testWrapper } from 'aiges-ts/testing';
import Wrapper from './wrapper.js';

test('passes errors of the engine on', async () => {
  const wrapper = await testWrapper(Wrapper);
  await assert.rejects(wrapper.once({ inputs: { text: 'x'.repeat((1 << 20) + 1) } }), /longer than 1 MiB;code=1001/);
  await wrapper.fini();
});

test('counts large letters as small ones', async () => {
  const wrapper = await testWrapper(Wrapper);
  const answer = await wrapper.once({ inputs: { text: 'Abba!' } });
  assert.deepEqual(answer.letters?.json(), { a: 2, b: 2 });
  await wrapper.fini();
});
