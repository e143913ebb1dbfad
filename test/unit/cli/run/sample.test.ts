import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onceFrames, readSamples, type Samples, streamPackets } from '../../../../src/cli/run/sample.js';
import { UsageError } from '../../../../src/cli/usage-error.js';
import type { Descriptor } from '../../../../src/core/descriptor.js';
import { DataStatus, DataType, emptyMap, type StringMap } from '../../../../src/core/frame.js';
import { body, descriptor, param } from '../../../fixtures/descriptors.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-sample-'));
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'declared.png'), 'declared');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function read(changes: Partial<Descriptor>, sample: string | null = null, params: StringMap = emptyMap): Samples {
  return readSamples(descriptor(changes), { wrapper: join(folder, 'wrapper.ts'), folder: sample, params });
}

const image = { type: DataType.image, content: 'bytes' } as const;

describe('readSamples', () => {
  it.each<[string, Partial<Descriptor>, RegExp]>([
    ['an input without a sample', { inputs: [body('img', image)] }, /input "img" has no sample; .*new ImageBodyField/],
    ['a JSON input without one', { inputs: [body('doc', { content: 'json' })] }, /new JsonBodyField/],
    [
      'a sample that is not there',
      { inputs: [body('img', { ...image, sample: { path: './data/no.png', bytes: null } })] },
      /the sample of input "img" cannot be read: ENOENT/,
    ],
    [
      'a required text without a default',
      { params: [param('lang', { required: true })] },
      /parameter "lang" is required and has no default; give it with -p lang=…/,
    ],
  ])('refuses %s', (_name, changes, message) => {
    expect(() => read(changes)).toThrow(message);
    expect(() => read(changes)).toThrow(UsageError);
  });

  it('refuses a parameter that is not declared', () => {
    expect(() => read({ params: [param('mode')] }, null, new Map([['mood', 'x']]))).toThrow(
      '--param mood: the wrapper declares no such parameter; it declares mode',
    );
  });

  it('refuses a folder that cannot be read, and two files for one input', () => {
    expect(() => read({}, join(folder, 'none'))).toThrow(/--sample .*none: cannot be read/);
    writeFileSync(join(folder, 'data', 'img.png'), '');
    writeFileSync(join(folder, 'data', 'img.jpg'), '');
    expect(() => read({ inputs: [body('img')] }, join(folder, 'data'))).toThrow(
      /more than one file for the input "img"/,
    );
  });

  it('takes the folder before the declared bytes, and those before the declared file', () => {
    const sample = { path: './data/declared.png', bytes: null };
    const data = (inputs: Descriptor['inputs'], from: string | null = null): string[] =>
      read({ inputs }, from).inputs.map((input) => Buffer.from(input.data).toString());
    expect(data([body('img', { ...image, sample })])).toEqual(['declared']);
    expect(data([body('img', { ...image, sample: { ...sample, bytes: Buffer.from('bytes') } })])).toEqual(['bytes']);
    writeFileSync(join(folder, 'data', 'img.png'), 'folder');
    expect(data([body('img', { ...image, sample })], join(folder, 'data'))).toEqual(['folder']);
    expect(data([body('other', { required: false })])).toEqual([]);
  });

  it('guesses required parameters where it can, and leaves the others to their defaults', () => {
    const params = [
      param('optional'),
      param('default', { required: true, fallback: 'x' }),
      param('choice', { required: true, enums: ['b', 'a'] }),
      param('number', { type: 'number', required: true, maximum: -2 }),
      param('least', { type: 'integer', required: true, minimum: 5 }),
      param('flag', { type: 'boolean', required: true }),
      param('given', { required: true }),
    ];
    expect(Object.fromEntries(read({ params }, null, new Map([['given', 'here']])).params)).toEqual({
      choice: 'b',
      number: '-2',
      least: '5',
      flag: 'false',
      given: 'here',
    });
  });
});

describe('streamPackets', () => {
  const samples: Samples = {
    params: emptyMap,
    inputs: [
      { name: 'sound', type: DataType.audio, data: Buffer.from('abcdefg'), desc: emptyMap },
      { name: 'text', type: DataType.text, data: Buffer.from('hello'), desc: emptyMap },
    ],
  };

  it('cuts sound, and sends everything else whole with the first packet', () => {
    const shown = streamPackets(samples, 3).map((packet) =>
      packet.map(({ key, data, status }) => `${key} ${Buffer.from(data).toString()} ${status}`),
    );
    expect(shown).toEqual([['sound abc 0', 'text hello 2'], ['sound def 1'], ['sound g 2']]);
  });

  it('gives one packet when nothing is there to send', () => {
    expect(streamPackets({ params: emptyMap, inputs: [] }, 3)).toEqual([[]]);
  });

  it('ends what fits into one packet with it', () => {
    expect(
      streamPackets(samples, 100)
        .flat()
        .map(({ status }) => status),
    ).toEqual([2, 2]);
    expect(onceFrames(samples).map(({ status }) => status)).toEqual([DataStatus.once, DataStatus.once]);
  });
});
