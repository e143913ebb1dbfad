import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ElfError, readElfHeader, readElfLibrary } from '../../../../src/cli/inspect/elf.js';
import { fixtureEngine } from '../../../fixtures/engines.js';

const scripted = readFileSync(fixtureEngine('scripted'));

/** A header that says this of its file. */
function header(changes: { bits?: number; order?: number; kind?: number; machine?: number }): Buffer {
  const file = Buffer.from(scripted.subarray(0, 64));
  file[4] = changes.bits ?? 2;
  file[5] = changes.order ?? 1;
  file.writeUInt16LE(changes.kind ?? 3, 16);
  file.writeUInt16LE(changes.machine ?? 62, 18);
  return file;
}

describe('readElfHeader', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a text', Buffer.from('this is a text, and long enough to have had a header')],
    ['the beginning of a header', scripted.subarray(0, 10)],
  ])('refuses %s', (_name, file) => {
    expect(() => readElfHeader(file)).toThrow(ElfError);
  });

  it.each([
    [header({}), { machine: 'x86-64', bits: 64, bigEndian: false, kind: 'shared library' }],
    [header({ bits: 1, machine: 40 }), { machine: '32-bit ARM', bits: 32, bigEndian: false, kind: 'shared library' }],
    [header({ machine: 183, kind: 2 }), { machine: 'arm64', bits: 64, bigEndian: false, kind: 'program' }],
    [header({ machine: 9999, kind: 77 }), { machine: 'machine type 9999', kind: 'file of an unknown kind' }],
  ])('reads one', (file, expected) => {
    expect(readElfHeader(file)).toMatchObject(expected);
  });

  it('reads big-endian ones', () => {
    const file = header({ order: 2 });
    file.writeUInt16BE(3, 16);
    file.writeUInt16BE(22, 18);
    expect(readElfHeader(file)).toEqual({ machine: 's390x', bits: 64, bigEndian: true, kind: 'shared library' });
  });
});

describe('readElfLibrary', () => {
  it('finds what others can call and what it needs, and nothing that is hidden', () => {
    const { exports, needed, soname } = readElfLibrary(scripted);
    expect(exports).toEqual([...exports].sort());
    expect(exports.filter((name) => name.startsWith('wrapper'))).toHaveLength(15);
    expect(exports.every((name) => name.startsWith('wrapper'))).toBe(true);
    expect(needed).toContain('libc.so.6');
    expect(soname).toBeNull();
  });

  it('finds the data that copies of a C++ library share, and none in others', () => {
    const { unique } = readElfLibrary(readFileSync(fixtureEngine('unique')));
    expect(unique).toEqual(['_ZZN8Settings2OfEvE8settings']);
    expect(readElfLibrary(scripted).unique).toEqual([]);
  });

  it('does without sections, as the dynamic linker does', () => {
    const file = Buffer.from(scripted);
    // Where sections are, how large and how many: all gone.
    file.writeBigUInt64LE(0n, 40);
    file.fill(0, 58, 64);
    expect(readElfLibrary(file)).toEqual(readElfLibrary(scripted));
  });

  it('refuses every damaged file with an error of its own', () => {
    const whole = readElfLibrary(scripted);
    for (let length = 64; length < scripted.length; length += 257) {
      try {
        // What is cut off may be what nobody reads.
        expect(readElfLibrary(scripted.subarray(0, length))).toEqual(whole);
      } catch (error) {
        expect(error).toBeInstanceOf(ElfError);
      }
    }
    for (let at = 32; at < 4096; at += 8) {
      const file = Buffer.from(scripted);
      file.fill(0xff, at, at + 8);
      try {
        readElfLibrary(file);
      } catch (error) {
        expect(error, String(at)).toBeInstanceOf(ElfError);
      }
    }
  });
});
