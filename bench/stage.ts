import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Driven } from './drive.js';
import type { Job, JobReport } from './jobs.js';
import { printable } from './places.js';
import { allowedCpus, chooseCores, siblingsOf } from './proc.js';

/** Where a process runs: servers on one CPU, clients on another. */
export type Side = 'server' | 'client';

/** How long a server may take to say that it listens, and a process to end when asked to. */
const patienceMs = 60_000;

/** Everything that a run starts and leaves lying about. Close it and nothing is left. */
export class Stage {
  /** A folder for this run alone. */
  readonly folder = mkdtempSync(join(tmpdir(), 'aiges-bench-'));
  /** CPUs of servers and of clients; null where there is only one, or no taskset. */
  readonly cores = commandExists('taskset') ? chooseCores(allowedCpus(), siblingsOf) : null;
  readonly hasH2load = commandExists('h2load');
  readonly hasNghttpd = commandExists('nghttpd');
  readonly #running = new Set<Actor>();
  #closed = false;

  /** A command as it is really run. */
  pinned(side: Side, command: readonly string[]): string[] {
    return this.cores === null ? [...command] : ['taskset', '-c', String(this.cores[side]), ...command];
  }

  /** @throws Error once the stage has been closed: nothing may outlive it */
  start(side: Side, command: readonly string[]): Actor {
    if (this.#closed) throw new Error('interrupted');
    const actor = new Actor(this.pinned(side, command));
    this.#running.add(actor);
    void actor.ended.then(() => this.#running.delete(actor));
    return actor;
  }

  /** Ends every process that still runs and removes the folder. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running].map((actor) => actor.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A process of a run. */
export class Actor {
  readonly command: string;
  /** Resolves with what became of it: "exit code 1", "SIGKILL". */
  readonly ended: Promise<string>;
  #output = '';
  #errors = '';
  #fate: string | null = null;
  readonly #child: ChildProcess;

  constructor(command: readonly string[]) {
    const [program = '', ...rest] = command;
    this.command = printable(command);
    this.#child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], serialization: 'advanced' });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.ended = new Promise((resolve) => {
      const end = (fate: string): void => {
        this.#fate = fate;
        resolve(fate);
      };
      this.#child.once('error', (error) => {
        end(error.message);
      });
      this.#child.once('close', (code, signal) => {
        end(signal ?? `exit code ${String(code)}`);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  /** What it wrote on stderr. */
  get errors(): string {
    return this.#errors.trim();
  }

  /**
   * Waits until something has happened.
   * @throws Error with the last words of the process if it ends first, or when patience is up
   */
  async until<T>(what: string, attempt: () => Promise<T | null> | T | null): Promise<T> {
    const start = performance.now();
    while (performance.now() - start < patienceMs) {
      const value = await attempt();
      if (value !== null) return value;
      if (this.#fate !== null) throw new Error(this.#lastWords(`ended (${this.#fate}) before ${what}`));
      await delay(20);
    }
    throw new Error(this.#lastWords(`waited ${patienceMs / 1000} s in vain for ${what}`));
  }

  /** Sends a message and takes the next one. */
  async ask<T>(question: object | null): Promise<T> {
    const settled = new AbortController();
    const { signal } = settled;
    try {
      const answer = once(this.#child, 'message', { signal }) as Promise<[T]>;
      // Its end settles the race in time; what becomes of the wait for a message is of no interest then.
      answer.catch(() => undefined);
      if (question !== null) this.#child.send(question);
      const first = await Promise.race([answer, this.ended]);
      if (typeof first === 'string') throw new Error(this.#lastWords(`ended (${first}) instead of answering`));
      return first[0];
    } finally {
      settled.abort();
    }
  }

  /** @throws Error with what the first call that failed said */
  async work(calls: number): Promise<Driven> {
    const job: Job = { calls };
    const report = await this.ask<JobReport>(job);
    if (!report.ok) throw new Error(report.error);
    return report.driven;
  }

  /** Waits for its end, and brings it about when that takes too long. Resolves with what became of it. */
  async wait(limitMs: number): Promise<string> {
    const cut = setTimeout(() => void this.end(), limitMs);
    try {
      return await this.ended;
    } finally {
      clearTimeout(cut);
    }
  }

  /** Ends it, whatever it does. Resolves with what became of it. Idempotent. */
  async end(): Promise<string> {
    this.#child.kill('SIGTERM');
    const cut = setTimeout(() => this.#child.kill('SIGKILL'), patienceMs);
    const fate = await this.ended;
    clearTimeout(cut);
    return fate;
  }

  #lastWords(text: string): string {
    return `${this.command} ${text}${this.errors === '' ? '' : `: ${this.errors.slice(-500)}`}`;
  }
}

function commandExists(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}
