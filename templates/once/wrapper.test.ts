import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testWrapper, type TestedWrapper } from 'aiges-ts/testing';
import Wrapper from './wrapper.js';

let wrapper: TestedWrapper<Wrapper['requestCls'], Wrapper['responseCls']>;

before(async () => {
  wrapper = await testWrapper(Wrapper);
});

after(() => wrapper.fini());

test('refuses a text without words, with a code of its own', async () => {
  await assert.rejects(wrapper.once({ inputs: { text: '42!' } }), /the text has no words;code=4001/);
});

test('refuses a parameter that is out of range', async () => {
  await assert.rejects(
    wrapper.once({ params: { top: 0 }, inputs: { text: 'a' } }),
    /parameter "top": expected 1 or more/,
  );
});

test('counts words, the most frequent first', async () => {
  const answer = await wrapper.once({ params: { top: 2 }, inputs: { text: 'one two, Two and three' } });
  assert.deepEqual(answer.result?.json(), {
    words: 5,
    top: [
      { word: 'two', count: 2 },
      { word: 'and', count: 1 },
    ],
  });
  assert.deepEqual(wrapper.meters, [{ key: 'words', count: 5 }]);
});
