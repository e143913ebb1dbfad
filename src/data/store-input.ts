import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Frame } from '../core/frame.js';

export interface StoreOptions {
  /** Where the files go. */
  readonly folder: string;
  /** Told once for every name that is not written, and why; and once when there are too many of them. */
  readonly warn: (name: string, why: string) => void;
}

/** Different names of one process. Clients choose them, so their number has to end. */
const mostNames = 1000;

/** Bytes that may wait for the disk. What comes beyond is not stored. */
const mostBytes = 256 * 1024 * 1024;

/**
 * What a later start of the loader, or of its engine, would take for its own: a client that may write those
 * decides what runs here.
 */
const readByTheLoader = /\.(toml|wrapper|so)(\.|$)|^wrapper\.|^(node_modules|package\.json)$/i;

interface Stored {
  /** The last content that came while the one before was being written. */
  next: Uint8Array | null;
  /** Whether the file is one that this process made: no other is ever written to. */
  ours: boolean;
  warned: boolean;
}

/**
 * Writes the inputs of requests to files, in the background, one per payload and named after it; later ones replace
 * earlier ones.
 */
export class InputStore {
  readonly #options: StoreOptions;
  readonly #names = new Map<string, Stored>();
  readonly #writing = new Map<string, Promise<void>>();
  #bytes = 0;
  #warnedOfNames = false;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** Takes a copy of every frame. Returns at once and never throws. */
  record(frames: readonly Frame[]): void {
    for (const { key, data } of frames) this.#put(key, data);
  }

  /** Resolves when nothing waits for the disk any more. */
  async settled(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing.values());
  }

  #put(name: string, data: Uint8Array): void {
    const stored = this.#find(name);
    if (stored === null) return;
    const fault = refuse(name);
    if (fault !== null) {
      this.#warn(name, stored, fault);
      return;
    }
    if (this.#bytes - (stored.next?.length ?? 0) + data.length > mostBytes) {
      this.#warn(name, stored, 'the disk is too slow');
      return;
    }
    this.#bytes += data.length - (stored.next?.length ?? 0);
    stored.next = new Uint8Array(data);
    if (this.#writing.has(name)) return;
    const writing = this.#drain(name, stored).finally(() => this.#writing.delete(name));
    this.#writing.set(name, writing);
  }

  /** What is known of a name; `null` when there are too many names already. */
  #find(name: string): Stored | null {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    if (this.#names.size >= mostNames) {
      if (!this.#warnedOfNames) this.#options.warn(name, `there are ${mostNames} different names already`);
      this.#warnedOfNames = true;
      return null;
    }
    const stored = { next: null, ours: false, warned: false };
    this.#names.set(name, stored);
    return stored;
  }

  /** Writes until nothing new has come. Never rejects. */
  async #drain(name: string, stored: Stored): Promise<void> {
    for (let data = stored.next; data !== null; data = stored.next) {
      stored.next = null;
      try {
        await this.#write(name, stored, data);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        this.#warn(name, stored, code === 'EEXIST' ? 'there is such a file already; remove it' : message);
      } finally {
        this.#bytes -= data.length;
      }
    }
  }

  async #write(name: string, stored: Stored, data: Uint8Array): Promise<void> {
    const { O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW } = constants;
    const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (stored.ours ? O_TRUNC : O_EXCL);
    const file = await open(join(this.#options.folder, name), flags, 0o600);
    try {
      stored.ours = true;
      await file.writeFile(data);
    } finally {
      await file.close();
    }
  }

  #warn(name: string, stored: Stored, why: string): void {
    if (stored.warned) return;
    stored.warned = true;
    this.#options.warn(name, why);
  }
}

/** Why a name is no name of a file that may be written; `null` when it is one. */
function refuse(name: string): string | null {
  if (name === '' || name.startsWith('.') || /[/\\\p{Cc}]/u.test(name)) return 'not the name of a plain file';
  if (Buffer.byteLength(name) > 255) return 'longer than the name of a file can be';
  if (readByTheLoader.test(name)) return 'the loader itself reads files of this name';
  return null;
}
