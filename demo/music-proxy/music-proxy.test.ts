import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testWrapper } from '../../src/testing.js';
import { type DemoAnswer, ServedDemo } from '../../test/fixtures/demo.js';
import { eventually } from '../../test/fixtures/eventually.js';
import { type MockRecogniser, startMock } from './mock.js';
import MusicProxy from './wrapper.js';

const folder = new URL('./', import.meta.url);

describe('a proxy of a signed service', () => {
  let mock: MockRecogniser;
  let demo: ServedDemo;

  beforeAll(async () => {
    mock = await startMock();
    demo = await ServedDemo.start(folder, [`wrapper.requrl=${mock.url}`]);
  });
  afterAll(async () => {
    await demo.stop();
    await mock.stop();
  });

  const recognise = (
    sample: string,
    params: Readonly<Record<string, string>> = {},
    waitTime?: number,
  ): Promise<DemoAnswer> =>
    demo.once({
      params,
      inputs: { data: [1, Buffer.from(sample)] },
      expect: { output_text: 0 },
      ...(waitTime === undefined ? {} : { waitTime }),
    });

  it.each([
    ['a code of the service', 'code 2004', 'no fingerprint could be made, perhaps of silence;code=2004'],
    ['a code that nobody knows', 'code 2999', 'the recogniser failed with 2999;code=2999'],
    ['an HTTP status', 'http 503', 'the recogniser answered with HTTP 503;code=4503'],
    ['something else than JSON', 'text', 'the recogniser answered with something else than JSON;code=4004'],
    ['a connection that is cut', 'cut', 'the recogniser cannot be reached;code=4003'],
  ])('says what is wrong after %s', async (_name, sample, error) => {
    expect(await recognise(sample)).toMatchObject({ code: 10909, error });
  });

  it('gives up at the deadline of its client, and lets the service know', async () => {
    expect(await recognise('hang', {}, 300)).toMatchObject({ code: 10102 });
    await eventually(() => mock.hanging()).toBe(0);
  });

  it.each([
    ['music', 'a recording'],
    ['humming', 'a hummed tune'],
  ])('recognises %s, with the account for it', async (mode, title) => {
    const { code, outputs } = await recognise('la la', { mode });
    expect(code).toBe(0);
    expect(JSON.parse(String(outputs['output_text']))).toMatchObject({ metadata: { music: [{ title, score: 97 }] } });
  });
});

describe('its configuration', () => {
  it('names the key that is missing', async () => {
    await expect(testWrapper(MusicProxy, { requrl: 'http://127.0.0.1/' })).rejects.toThrow(
      'expected access_key_music in [wrapper]',
    );
  });

  it('with a wrong secret is refused by the service', async () => {
    const mock = await startMock();
    const wrong = {
      requrl: mock.url,
      access_key_music: 'music-key',
      access_secret_music: 'wrong',
      access_key_humming: 'unknown',
      access_secret_humming: 'wrong',
    };
    const wrapper = await testWrapper(MusicProxy, wrong);
    const recognise = (mode: 'music' | 'humming'): Promise<unknown> =>
      wrapper.once({ params: { mode }, inputs: { data: new Uint8Array(8) } });
    await expect(recognise('music')).rejects.toThrow('the signature does not fit;code=3014');
    await expect(recognise('humming')).rejects.toThrow('the access key is not known;code=3001');
    await wrapper.fini();
    await mock.stop();
  });
});
