import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Probed } from '../../runtimes/load.js';
import { type Progress, progressFd } from './progress.js';

/** What came of loading a library. */
export interface Loaded extends Probed {
  /** The end of what the library has printed. */
  readonly printed: string;
}

/** More than this of what a library prints is of no use. */
const printedBytes = 4000;
/** It may write to our channel, too. */
const progressBytes = 1 << 20;
/** How long what it wrote before it ended may take to come. */
const lastWordsMs = 500;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Loads a library in a process that nobody needs, and asks for its version. Whatever the library does there, the
 * answer says it.
 * @param timeoutMs how long all of it may take
 */
export async function loadInChild(path: string, timeoutMs: number): Promise<Loaded> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./child.js', import.meta.url)), path], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // A group of its own, so that what the library starts ends with it.
    detached: true,
  });
  let lines = '';
  let printed = '';
  child.stdio[progressFd]?.on('data', (text: Buffer) => (lines = (lines + text.toString()).slice(-progressBytes)));
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text: Buffer) => (printed = (printed + text.toString()).slice(-printedBytes)));
  }
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  };
  const interrupted = (_: NodeJS.Signals, number: number): void => {
    kill();
    process.exit(128 + number);
  };
  // The group of its own does not hear of it.
  for (const signal of signals) process.once(signal, interrupted);
  /** What has left the group may hold the other ends open for ever. */
  const hangUp = (): void => {
    for (const stream of child.stdio) stream?.destroy();
  };
  let late = false as boolean;
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, timeoutMs);
  let lastWords: NodeJS.Timeout | undefined;
  let ended: readonly [number | null, NodeJS.Signals | null];
  try {
    ended = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => {
        // Whoever the library has started may hold the pipes open.
        kill();
        lastWords = setTimeout(hangUp, lastWordsMs);
      });
      child.once('close', (...how) => {
        resolve(how);
      });
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(lastWords);
    for (const signal of signals) process.off(signal, interrupted);
  }
  const [code, signal] = ended;
  const last = lines.split('\n').flatMap(readProgress).at(-1);
  if (last?.step === 'done') return { ...last.probed, printed };
  const where = last?.step === 'wrapperVersion' ? 'in wrapperVersion' : 'while it was being loaded (in a constructor)';
  const what = late
    ? `hangs ${where}: nothing came within ${timeoutMs} ms (--timeout)`
    : signal === null
      ? `ends the process ${where} with exit code ${code ?? '?'}`
      : `crashes ${where}: ${signal}`;
  return {
    opened: false,
    version: null,
    error: last === undefined ? `cannot be tried out: ${printed.trim()}` : what,
    printed,
  };
}

/** The library may write there, too. */
function readProgress(line: string): Progress[] {
  try {
    return [JSON.parse(line) as Progress];
  } catch {
    return [];
  }
}
