import { createWriteStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createStream, type Generator } from 'rotating-file-stream';
import { AigesError } from '../core/errors.js';

export interface LogFileOptions {
  /** A relative path starts at the working directory. Directories are created. */
  readonly path: string;
  /** Size in bytes at which the file is rotated; `null` for never. */
  readonly maxBytes: number | null;
  /** Rotated files that are kept; `null` for all. */
  readonly keep: number | null;
  /** Milliseconds after which rotated files are deleted; `null` for never. */
  readonly maxAgeMs: number | null;
}

export interface LogFileSurroundings {
  /** Told, in a sentence, when lines begin to be lost and when they are written again. */
  readonly tell: (text: string) => void;
  /** Milliseconds before a file that could not be written is tried again. */
  readonly retryMs?: number;
}

/** Bytes that may wait for the disk; lines beyond are lost, and counted. */
const mostWaiting = 16 * 1024 * 1024;

/** Time that the last lines have to reach the disk. */
const closeMs = 5000;

/**
 * Where the log goes when it goes to a file. Lines are written in the background: a disk that is slow, full or gone
 * costs lines, which are counted, and never holds up or ends the process.
 */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #tell: (text: string) => void;
  readonly #retryMs: number;
  #stream: Writable | null = null;
  #retryAt = 0;
  #closed = false;
  /** Whether lines are being lost, and how many were. */
  #losing = false;
  #lost = 0;
  /** Settles when the rotated files have been looked through. Never rejects. */
  #pruned: Promise<void> = Promise.resolve();
  #toldOfPruning = false;

  private constructor(options: LogFileOptions, { tell, retryMs = 10_000 }: LogFileSurroundings) {
    this.#options = options;
    this.#tell = tell;
    this.#retryMs = retryMs;
  }

  /** @throws AigesError `initFailed` for a file that cannot be written */
  static async open(options: LogFileOptions, surroundings: LogFileSurroundings): Promise<LogFile> {
    const file = new LogFile(options, surroundings);
    try {
      await file.#open();
    } catch (error) {
      throw new AigesError('initFailed', {
        message: `[log].file: cannot write ${options.path}: ${(error as Error).message}; name a file that this user may write, or none for standard error`,
        cause: error,
      });
    }
    return file;
  }

  /** Takes a line, with its end. Never throws. */
  write(line: string): void {
    if (this.#closed) return;
    if (this.#stream === null) {
      this.#lost++;
      this.#retry();
    } else if (this.#stream.writableLength > mostWaiting) {
      this.#lost++;
      this.#lose('the disk is too slow');
    } else {
      const stream = this.#stream;
      stream.write(line, (error) => {
        if (error) this.#lost++;
        else if (stream.writableLength <= mostWaiting / 2) this.#recover();
      });
    }
  }

  /** Resolves when everything is on the disk, or when that takes too long. */
  async close(): Promise<void> {
    const stream = this.#stream;
    this.#closed = true;
    this.#stream = null;
    const ended = new Promise<void>((resolve) => {
      if (stream === null) resolve();
      else stream.end(resolve);
    });
    const patience = new AbortController();
    const late = delay(closeMs, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([ended.then(() => this.#pruned), late]);
    patience.abort();
  }

  async #open(): Promise<void> {
    const stream = await openStream(this.#options);
    stream.on('error', (error: Error) => {
      if (this.#stream === stream) this.#stream = null;
      this.#lose(error.message);
    });
    stream.on('rotated', () => {
      this.#prune();
    });
    if (this.#closed) {
      stream.end();
      return;
    }
    this.#stream = stream;
    this.#prune();
  }

  #retry(): void {
    if (performance.now() < this.#retryAt) return;
    this.#retryAt = Infinity;
    this.#open().catch((error: unknown) => {
      this.#lose((error as Error).message);
    });
  }

  /** Says so once, until lines are written again. */
  #lose(why: string): void {
    this.#retryAt = performance.now() + this.#retryMs;
    if (this.#losing || this.#closed) return;
    this.#losing = true;
    this.#tell(`[log].file: lines of the log are lost: ${this.#options.path}: ${why}`);
  }

  #recover(): void {
    if (!this.#losing) return;
    this.#losing = false;
    this.#tell(`[log].file: the log is written again; ${this.#lost} line(s) were lost`);
    this.#lost = 0;
  }

  #prune(): void {
    this.#pruned = this.#pruned
      .then(() => pruneRotated(this.#options, Date.now()))
      .catch((error: unknown) => {
        if (this.#toldOfPruning) return;
        this.#toldOfPruning = true;
        this.#tell(`[log].count: rotated files of the log cannot be deleted: ${(error as Error).message}`);
      });
  }
}

/** Resolves when the file is open. What goes wrong after that is an `error` event. */
async function openStream({ path, maxBytes }: LogFileOptions): Promise<Writable> {
  const stream: Writable = (await isDevice(path))
    ? createWriteStream(path, { flags: 'a' })
    : createStream(nameRotated(path), maxBytes === null ? {} : { size: `${maxBytes}B` });
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject);
    stream.once('open', () => {
      stream.off('error', reject);
      resolve();
    });
  });
  return stream;
}

/** Containers like to name /dev/stdout: nothing can be rotated there. */
async function isDevice(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    return found.isCharacterDevice() || found.isFIFO();
  } catch {
    // Opening it creates it, or says what is wrong.
    return false;
  }
}

/** `aiges.log` becomes `aiges-2026-01-31T08-00-00.000.log`: the time is UTC, as it was in the original. */
function nameRotated(path: string): Generator {
  const { stem, ending } = split(path);
  return (time, index) => {
    if (!(time instanceof Date)) return path;
    const stamp = time.toISOString().slice(0, -1).replaceAll(':', '-');
    const suffix = index === undefined || index === 1 ? '' : `_${index}`;
    return join(dirname(path), `${stem}-${stamp}${suffix}${ending}`);
  };
}

function split(path: string): { readonly stem: string; readonly ending: string } {
  const ending = extname(path);
  return { stem: basename(path, ending), ending };
}

/** Deletes rotated files that are too many or too old. Nothing else is touched. */
async function pruneRotated({ path, keep, maxAgeMs }: LogFileOptions, now: number): Promise<void> {
  if (keep === null && maxAgeMs === null) return;
  const { stem, ending } = split(path);
  const rotated: { readonly name: string; readonly time: number }[] = [];
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${stem}-`) || !name.endsWith(ending)) continue;
    const middle = name.slice(stem.length + 1, name.length - ending.length);
    const match = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})(_\d+)?$/.exec(middle);
    if (match === null) continue;
    const [, day = '', hours = '', minutes = '', seconds = ''] = match;
    rotated.push({ name, time: Date.parse(`${day}T${hours}:${minutes}:${seconds}Z`) });
  }
  rotated.sort((a, b) => b.time - a.time || b.name.length - a.name.length || (a.name < b.name ? 1 : -1));
  for (const [newer, { name, time }] of rotated.entries()) {
    const tooMany = keep !== null && newer >= keep;
    const tooOld = maxAgeMs !== null && time < now - maxAgeMs;
    if (tooMany || tooOld) await rm(join(dirname(path), name), { force: true });
  }
}
