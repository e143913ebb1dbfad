import { describe, expect, it } from 'vitest';
import { checkAnswer, checkResults } from '../../../../src/cli/run/check.js';
import { DataStatus, DataType, type Frame } from '../../../../src/core/frame.js';
import { body, descriptor, frame } from '../../../fixtures/descriptors.js';

const declared = descriptor({
  outputs: [
    body('result', { content: 'json' }),
    body('note', { required: false }),
    body('picture', { type: DataType.image, content: 'bytes', required: false }),
  ],
});
const good = frame('result', '{}');

describe('checkAnswer', () => {
  it.each<[string, Frame[], string]>([
    ['a missing output', [], 'output "result" is declared but missing'],
    ['an output twice', [good, good], 'output "result" came twice'],
    ['a strange output', [good, frame('x', '')], 'output "x" is not declared; declared are result, note, picture'],
    ['another type', [frame('result', '{}', { type: 2 })], 'output "result": expected type text but found image'],
    ['an unknown type', [frame('result', '{}', { type: 9 })], 'output "result": expected type text but found type 9'],
    ['no JSON', [frame('result', '{')], 'output "result": expected JSON: '],
    [
      'no UTF-8',
      [good, frame('note', Uint8Array.of(0xff))],
      'output "note": expected UTF-8 text but found other bytes',
    ],
    ['a wrong status', [{ ...good, status: 1 }], 'output "result": expected status 3 (once) but found 1'],
  ])('finds %s', (_name, frames, fault) => {
    const faults = checkAnswer(declared, frames);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  it('finds nothing in an answer that is as declared', () => {
    const picture = frame('picture', Uint8Array.of(0xff), { type: DataType.image });
    expect(checkAnswer(declared, [good, frame('note', ''), picture])).toEqual([]);
  });
});

describe('checkResults', () => {
  const part = { ...good, status: DataStatus.continue };
  const end = { ...good, status: DataStatus.end };

  it('expects a final result', () => {
    expect(checkResults(declared, [[part]])).toEqual(['the stream gave no final result']);
    expect(checkResults(declared, [])).toEqual([
      'output "result" is declared but missing',
      'the stream gave no final result',
    ]);
  });

  it('says once what is wrong with many results', () => {
    const wrong = { ...part, key: 'x' };
    expect(checkResults(declared, [[part], [wrong], [wrong], [end]])).toEqual([
      'output "x" is not declared; declared are result, note, picture',
    ]);
  });

  it('takes an empty end for what it is', () => {
    expect(checkResults(declared, [[part], [{ ...end, data: new Uint8Array(0) }]])).toEqual([]);
  });
});
