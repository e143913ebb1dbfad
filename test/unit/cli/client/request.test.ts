import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseInput, parseOutput, parseParam, typeName } from '../../../../src/cli/client/request.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-call-'));
  for (const name of ['seven.png', 'SEVEN.PNG', 'voice.wav', 'clip.mp4', 'note.txt', 'blob.xyz']) {
    writeFileSync(join(folder, name), name);
  }
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('parseInput', () => {
  it.each([
    ['img', /expected name=text or name=@file/],
    ['=x', /expected name=text or name=@file/],
    [':image=x', /expected name or name:type/],
    ['img:film=x', /"film" is no type; expected one of text, audio, image, video, other/],
    ['img:image:png=x', /expected name or name:type/],
    ['img=@/nowhere/seven.png', /cannot read \/nowhere\/seven\.png/],
  ])('refuses %j', (argument, message) => {
    expect(() => parseInput(argument)).toThrow(message);
  });

  it.each([
    ['seven.png', 'image'],
    ['SEVEN.PNG', 'image'],
    ['voice.wav', 'audio'],
    ['clip.mp4', 'video'],
    ['note.txt', 'text'],
    ['blob.xyz', 'other'],
  ])('reads %s as %s', (file, type) => {
    expect(parseInput(`in=@${join(folder, file)}`)).toEqual({ name: 'in', type, data: Buffer.from(file) });
  });

  it('takes a type that is given over that of the extension', () => {
    expect(parseInput(`in:audio=@${join(folder, 'blob.xyz')}`).type).toBe('audio');
  });

  it('takes everything after the first equals sign as text', () => {
    expect(parseInput('in=a=b@c')).toEqual({ name: 'in', type: 'text', data: Buffer.from('a=b@c') });
  });
});

describe('parseOutput', () => {
  it('leaves the type open when there is none', () => {
    expect(parseOutput('result')).toEqual({ name: 'result', type: null });
    expect(parseOutput('result:text')).toEqual({ name: 'result', type: 'text' });
  });
});

describe('parseParam', () => {
  it('refuses what has no key', () => {
    expect(() => parseParam('=x')).toThrow('expected key=value');
    expect(parseParam('a=b=c')).toEqual(['a', 'b=c']);
  });
});

describe('typeName', () => {
  it('takes types of newer loaders as other', () => {
    expect(typeName(2)).toBe('image');
    expect(typeName(77)).toBe('other');
  });
});
