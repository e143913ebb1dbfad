import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputStore } from '../../../src/data/store-input.js';
import { textFrame } from '../../fixtures/fake-runtime.js';

let parent: string;
let folder: string;
let warned: (readonly [string, string])[];
let store: InputStore;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'aiges-store-'));
  folder = join(parent, 'cwd');
  mkdirSync(folder);
  warned = [];
  store = new InputStore({ folder, warn: (name, why) => warned.push([name, why]) });
});

afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

async function record(...inputs: (readonly [string, string])[]): Promise<void> {
  store.record(inputs.map(([name, text]) => textFrame(name, text)));
  await store.settled();
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('InputStore never writes', () => {
  it.each([
    ['', 'not the name of a plain file'],
    ['.', 'not the name of a plain file'],
    ['..', 'not the name of a plain file'],
    ['../escaped', 'not the name of a plain file'],
    ['a/b', 'not the name of a plain file'],
    ['/etc/escaped', 'not the name of a plain file'],
    ['a\\b', 'not the name of a plain file'],
    ['.profile', 'not the name of a plain file'],
    ['a\0b', 'not the name of a plain file'],
    ['a\nb', 'not the name of a plain file'],
    ['x'.repeat(256), 'longer than the name of a file can be'],
    ['ä'.repeat(128), 'longer than the name of a file can be'],
    ['aiges.toml', 'the loader itself reads files of this name'],
    ['headerPass.wrapper', 'the loader itself reads files of this name'],
    ['libwrapper.so', 'the loader itself reads files of this name'],
    ['libcuda.SO.1', 'the loader itself reads files of this name'],
    ['wrapper.py', 'the loader itself reads files of this name'],
    ['package.json', 'the loader itself reads files of this name'],
  ])('%j, and warns once', async (name, why) => {
    await record([name, 'x'], ['fine', 'yes']);
    await record([name, 'y']);
    expect(warned).toEqual([[name, why]]);
    expect(readdirSync(folder)).toEqual(['fine']);
    expect(readdirSync(parent)).toEqual(['cwd']);
  });

  it('over a file that it has not made itself', async () => {
    writeFileSync(join(folder, 'model.bin'), 'weights');
    await record(['model.bin', 'x']);
    await record(['model.bin', 'y']);
    expect(read('model.bin')).toBe('weights');
    expect(warned).toEqual([['model.bin', 'there is such a file already; remove it']]);
  });

  it('through a link, not even one that took the place of its own file', async () => {
    await record(['input', 'mine']);
    rmSync(join(folder, 'input'));
    const target = join(parent, 'target');
    symlinkSync(target, join(folder, 'input'));
    symlinkSync(target, join(folder, 'other'));
    await record(['input', 'x'], ['other', 'x']);
    expect(existsSync(target)).toBe(false);
    expect(warned.map(([name]) => name).sort()).toEqual(['input', 'other']);
  });

  it('more than a thousand different names, and warns of that once', async () => {
    await record(...Array.from({ length: 1500 }, (_, index) => [`n${index}`, ''] as const));
    expect(readdirSync(folder)).toHaveLength(1000);
    expect(warned).toEqual([['n1000', 'there are 1000 different names already']]);
  });

  it('what the disk is too slow for', async () => {
    const large = textFrame('large', '');
    const data = Buffer.alloc(100 << 20);
    store.record(['a', 'b', 'c'].map((key) => ({ ...large, key, data })));
    await store.settled();
    expect(readdirSync(folder).sort()).toEqual(['a', 'b']);
    expect(warned).toEqual([['c', 'the disk is too slow']]);
    await record(['c', 'later']);
    expect(read('c')).toBe('later');
  });
});

describe('InputStore', () => {
  it('goes on after a directory that cannot be written, and warns once per name', async () => {
    rmSync(folder, { recursive: true });
    await record(['input', 'x']);
    await record(['input', 'x']);
    expect(warned).toEqual([['input', expect.stringContaining('ENOENT')]]);
    mkdirSync(folder);
    await record(['input', 'back']);
    expect(read('input')).toBe('back');
  });

  it('writes every payload to a file of its name that only its user can read', async () => {
    await record(['input', 'one'], ['größe 2', 'two'], ['empty', '']);
    expect(readdirSync(folder).sort()).toEqual(['empty', 'größe 2', 'input']);
    expect([read('input'), read('größe 2'), read('empty')]).toEqual(['one', 'two', '']);
    expect(statSync(join(folder, 'input')).mode & 0o777).toBe(0o600);
  });

  it('replaces what earlier requests left, and ends with the last', async () => {
    await record(['input', 'a long first one']);
    for (let request = 0; request < 100; request++) store.record([textFrame('input', `request ${request}`)]);
    await store.settled();
    expect(read('input')).toBe('request 99');
    expect(warned).toEqual([]);
  });

  it('keeps no view on memory that is not its own', async () => {
    const data = Buffer.from('before');
    store.record([{ ...textFrame('input', ''), data }]);
    data.write('AFTER!');
    await store.settled();
    expect(read('input')).toBe('before');
  });
});
