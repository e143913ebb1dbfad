import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { curlCommand } from '../../../../playground/snippets/curl.js';
import { quote } from '../../../../playground/snippets/shell.js';
import { draft, fileInput, textInput } from '../files.js';

const once = { upload: false, stream: false };
const bytes = new Uint8Array([1]);

describe('a word for the shell', () => {
  it('reaches a program as it was, whatever is in it', () => {
    const words = fc.array(
      fc.string({ unit: 'grapheme', maxLength: 20 }).filter((word) => !word.includes('\0')),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(words, (texts) => {
        const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${['', ...texts].map(quote).join(' ')}`], {
          encoding: 'utf8',
        });
        expect(stdout).toBe(['', ...texts, ''].join('\0'));
      }),
      { numRuns: 30 },
    );
  });

  it('has quotes only where it needs them', () => {
    expect(['img=@7-0.png', 'a b', '$x', '~', '#a', ''].map(quote)).toEqual([
      'img=@7-0.png',
      "'a b'",
      "'$x'",
      "'~'",
      "'#a'",
      "''",
    ]);
  });
});

describe('a curl command', () => {
  it('is one line when it is short', () => {
    expect(curlCommand(draft({ inputs: [fileInput(bytes)] }), { ...once, upload: true })).toBe(
      'curl -F img=@img.png http://127.0.0.1:1888/v1/private/svc',
    );
  });

  it('sends JSON as it is', () => {
    expect(curlCommand(draft({ params: new Map([['a', "it's"]]) }), once)).toBe(
      [
        'curl',
        `-H 'Content-Type: application/json'`,
        `--data-raw '{"parameter":{"svc":{"a":"it'\\''s"}}}'`,
        'http://127.0.0.1:1888/v1/private/svc',
      ].join(' \\\n  '),
    );
  });

  it('sends the rest of an upload so that nothing in it has a meaning for curl', () => {
    const command = curlCommand(draft({ params: new Map([['a', 'x;type=y']]), inputs: [fileInput(bytes)] }), {
      ...once,
      upload: true,
    });
    expect(command).toContain(`--form-string 'request={"parameter":{"svc":{"a":"x;type=y"}}}'`);
  });

  it('names files with special characters as curl reads them, and never as options', () => {
    const command = curlCommand(
      draft({ inputs: [fileInput(bytes, { file: 'a;b"c.png' }), fileInput(bytes, { name: 'b', file: '-' })] }),
      { ...once, upload: true },
    );
    expect(command).toContain(`-F 'img=@"a;b\\"c.png"'`);
    expect(command).toContain(`-F b=@./-`);
  });

  it('pipes what is too long for an argument, and files into JSON', () => {
    expect(curlCommand(draft({ inputs: [textInput('x'.repeat(200_000))] }), once)).toMatch(
      /^\{ printf %s '\{"payload[^]*\} \| curl [^]*--data-binary @-/,
    );
    expect(curlCommand(draft({ inputs: [fileInput(bytes, { file: "it's" })] }), once)).toContain(
      `base64 < 'it'\\''s' | tr -d '\\n'`,
    );
  });

  it('asks for the results of a stream as they come', () => {
    expect(curlCommand(draft(), { ...once, stream: true })).toContain(`-N`);
    expect(curlCommand(draft(), { ...once, stream: true })).toContain(`-H 'Accept: text/event-stream'`);
  });
});
