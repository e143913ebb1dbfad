import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServedDemo } from '../../test/fixtures/demo.js';
import { eventually } from '../../test/fixtures/eventually.js';
import { testWrapper } from '../../src/testing.js';
import Wrapper from './wrapper.js';

const folder = new URL('./', import.meta.url);

describe('a wrapper.py ported to TypeScript', () => {
  let demo: ServedDemo;

  beforeAll(async () => {
    demo = await ServedDemo.start(folder, ['log.level=info']);
  });
  afterAll(async () => {
    await demo.stop();
  });

  const ask = async (text: string, params: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    const answer = await demo.once({ params, inputs: { text: [0, Buffer.from(text)] }, expect: { found: 0 } });
    if (answer.code !== 0) return answer.error;
    return JSON.parse(String(answer.outputs['found']));
  };

  it('refuses what wrapperOnceExec refused, with its code and text', async () => {
    expect(await ask('   ')).toBe('the text is empty;code=1002');
  });

  it('refuses what the declarations of wrapper.py said and its SDK did not check', async () => {
    expect(await ask('a fox', { limit: '1000' })).toContain('parameter "limit": expected 100 or less but found "1000"');
    expect(await ask('a fox', { case: 'any' })).toContain('expected one of "ignore", "match"');
  });

  it('finds words', async () => {
    expect(await ask('The Fox is in Zürich.')).toEqual([
      { word: 'fox', at: 4 },
      { word: 'Zürich', at: 14 },
    ]);
    expect(await ask('The Fox is in Zürich.', { case: 'match' })).toEqual([{ word: 'Zürich', at: 14 }]);
    expect(await ask('dog and fox', { limit: '1' })).toEqual([{ word: 'fox', at: 8 }]);
  });

  it('logs with the session id', async () => {
    await ask('fox');
    await eventually(() => demo.output).toMatch(/"sid":"ase00010001@hu000000000000001500".*1 words found/);
  });
});

describe('its error texts', () => {
  it('are those of wrapper.py', async () => {
    await expect(testWrapper(Wrapper)).rejects.toThrow('the configuration lacks words;code=1001');
    const wrapper = await testWrapper(Wrapper, { words: 'fox' });
    await wrapper.fini();
    const python = readFileSync(new URL('wrapper.py', folder), 'utf8');
    for (const text of ['the configuration lacks words', 'the text is empty']) expect(python).toContain(text);
  });
});
