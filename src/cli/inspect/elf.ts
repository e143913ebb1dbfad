// Reads what the dynamic linker reads of a shared library, without running any of it.

export interface ElfLibrary {
  readonly soname: string | null;
  /** Libraries that it cannot do without. */
  readonly needed: readonly string[];
  /** Functions that others can call. */
  readonly exports: readonly string[];
  /** Data of which one process has one, however many libraries bring it: also when they are copies of one file. */
  readonly unique: readonly string[];
}

export interface ElfHeader {
  /** Such as `x86-64`. */
  readonly machine: string;
  readonly bits: 32 | 64;
  readonly bigEndian: boolean;
  readonly kind: 'shared library' | 'object file' | 'program' | 'core dump' | 'file of an unknown kind';
}

/** The file is damaged, or no ELF file at all. */
export class ElfError extends Error {
  override readonly name = 'ElfError';
}

const machines: Readonly<Record<number, string>> = {
  3: '32-bit x86',
  8: 'MIPS',
  20: '32-bit PowerPC',
  21: 'PowerPC 64',
  22: 's390x',
  40: '32-bit ARM',
  62: 'x86-64',
  183: 'arm64',
  243: 'RISC-V',
  258: 'LoongArch',
};
const kinds = ['file of an unknown kind', 'object file', 'program', 'shared library', 'core dump'] as const;

/** @throws ElfError when there is no ELF header */
export function readElfHeader(file: Buffer): ElfHeader {
  if (file.length < 20 || file.readUInt32BE(0) !== 0x7f454c46)
    throw new ElfError('not a shared library (no ELF header)');
  const bigEndian = file[5] === 2;
  const read16 = (at: number): number => (bigEndian ? file.readUInt16BE(at) : file.readUInt16LE(at));
  const machine = read16(18);
  return {
    machine: machines[machine] ?? `machine type ${machine}`,
    bits: file[4] === 1 ? 32 : 64,
    bigEndian,
    kind: kinds[read16(16)] ?? kinds[0],
  };
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

interface ElfSymbol {
  readonly name: string;
  readonly type: number;
  readonly binding: number;
  readonly visibility: number;
}

const tags = { needed: 1, hash: 4, strtab: 5, symtab: 6, strsz: 10, soname: 14, gnuHash: 0x6ffffef5 } as const;

/**
 * Reads a 64-bit little-endian library. Sections may have been stripped: like the dynamic linker it goes by segments.
 * @throws ElfError when what the header promises is not there
 */
export function readElfLibrary(file: Buffer): ElfLibrary {
  try {
    return new Reader(file).read();
  } catch (error) {
    // Every offset in the file may point anywhere; Buffer checks them all.
    if (error instanceof RangeError) throw new ElfError('damaged: it ends early, or points outside of itself');
    throw error;
  }
}

class Reader {
  readonly #file: Buffer;
  readonly #segments: readonly Segment[];
  readonly #dynamic: readonly (readonly [tag: number, value: number])[];

  constructor(file: Buffer) {
    this.#file = file;
    const at = this.#read64(32);
    const size = file.readUInt16LE(54);
    const count = file.readUInt16LE(56);
    this.#segments = Array.from({ length: count }, (_, n) => {
      const base = at + n * size;
      return {
        type: file.readUInt32LE(base),
        offset: this.#read64(base + 8),
        address: this.#read64(base + 16),
        size: this.#read64(base + 32),
      };
    });
    this.#dynamic = this.#readDynamic();
  }

  read(): ElfLibrary {
    const { strtab, strsz } = tags;
    const from = this.#locate(this.#value(strtab));
    const names = this.#file.subarray(from, from + this.#value(strsz));
    const name = (at: number): string => {
      const end = names.indexOf(0, at);
      if (at >= names.length || end < 0) throw new ElfError('damaged: a name lies outside of its table');
      return names.toString('utf8', at, end);
    };
    const all = (wanted: number): string[] =>
      this.#dynamic.filter(([tag]) => tag === wanted).map(([, value]) => name(value));
    const symbols = this.#symbols(name);
    // Functions (2), and those that choose themselves at load (10); global or weak; default or protected.
    const exports = symbols.filter(
      ({ type, binding, visibility }) =>
        (type === 2 || type === 10) && (binding === 1 || binding === 2) && visibility % 3 === 0,
    );
    // Beside such data often lies what says whether it has been made yet.
    const unique = symbols.filter(({ binding, name }) => binding === 10 && !name.startsWith('_ZGV'));
    const namesOf = (those: readonly ElfSymbol[]): string[] => those.map((each) => each.name).sort();
    return {
      soname: all(tags.soname)[0] ?? null,
      needed: all(tags.needed),
      exports: namesOf(exports),
      unique: namesOf(unique),
    };
  }

  #readDynamic(): [number, number][] {
    const segment = this.#segments.find(({ type }) => type === 2);
    if (segment === undefined) throw new ElfError('statically linked: it has no dynamic section');
    const entries: [number, number][] = [];
    for (let at = segment.offset; at < segment.offset + segment.size; at += 16) {
      const tag = this.#read64(at);
      if (tag === 0) break;
      entries.push([tag, this.#read64(at + 8)]);
    }
    return entries;
  }

  /** What the library itself defines. */
  #symbols(name: (at: number) => string): ElfSymbol[] {
    const table = this.#locate(this.#value(tags.symtab));
    const found: ElfSymbol[] = [];
    for (let n = 1; n < this.#symbolCount(); n++) {
      const at = table + n * 24;
      if (this.#file.readUInt16LE(at + 6) === 0) continue;
      const info = this.#file.readUInt8(at + 4);
      found.push({
        name: name(this.#file.readUInt32LE(at)),
        type: info & 15,
        binding: info >> 4,
        visibility: this.#file.readUInt8(at + 5) & 3,
      });
    }
    return found;
  }

  /** The symbol table does not say how long it is; the tables to search it do. */
  #symbolCount(): number {
    const hash = this.#find(tags.hash);
    if (hash !== null) return this.#file.readUInt32LE(this.#locate(hash) + 4);
    const gnu = this.#find(tags.gnuHash);
    if (gnu === null) return 0;
    const at = this.#locate(gnu);
    const buckets = this.#file.readUInt32LE(at);
    const first = this.#file.readUInt32LE(at + 4);
    const from = at + 16 + this.#file.readUInt32LE(at + 8) * 8;
    let last = 0;
    for (let n = 0; n < buckets; n++) last = Math.max(last, this.#file.readUInt32LE(from + n * 4));
    if (last < first) return first;
    // The last chain ends with the entry whose lowest bit is set.
    const chains = from + buckets * 4;
    while ((this.#file.readUInt32LE(chains + (last - first) * 4) & 1) === 0) last++;
    return last + 1;
  }

  #find(wanted: number): number | null {
    return this.#dynamic.find(([tag]) => tag === wanted)?.[1] ?? null;
  }

  #value(wanted: number): number {
    const value = this.#find(wanted);
    if (value === null) throw new ElfError('damaged: its dynamic section is incomplete');
    return value;
  }

  /** From an address in memory to an offset in the file. */
  #locate(address: number): number {
    const segment = this.#segments.find(
      (each) => each.type === 1 && address >= each.address && address < each.address + each.size,
    );
    if (segment === undefined) throw new ElfError('damaged: a table lies outside of what is loaded');
    return address - segment.address + segment.offset;
  }

  #read64(at: number): number {
    const value = this.#file.readBigUInt64LE(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('no offset of a file');
    return Number(value);
  }
}
