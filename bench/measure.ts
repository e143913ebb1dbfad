import { setTimeout as delay } from 'node:timers/promises';
import type { Contender, Run, Target } from './contenders.js';
import { cpuSeconds, residentMemory } from './proc.js';
import type { Result, Round, RowReport } from './report.js';
import { inFlight, type Row } from './rows.js';
import type { Stage } from './stage.js';
import { percentile } from './statistics.js';

export interface Effort {
  /** Seconds that one measurement should take. */
  readonly seconds: number;
  readonly rounds: number;
  /** Milliseconds of rest before memory is looked at again. */
  readonly restMs: number;
}

/** Up to this rate, writing down every latency does not slow a client; beyond, it is done in a run of its own. */
const loggableRate = 3000;

/** Contenders take turns, so that what disturbs the machine for a while disturbs all of them. */
export async function measureRow(
  row: Row,
  contenders: readonly Contender[],
  stage: Stage,
  effort: Effort,
): Promise<RowReport> {
  const entrants = await Promise.all(
    contenders.filter((contender) => contender.suits(row)).map((contender) => Entrant.start(contender, row, stage)),
  );
  try {
    for (const entrant of entrants) await entrant.warmUp(effort);
    for (let round = 0; round < effort.rounds; round++) {
      for (const entrant of entrants) await entrant.measure(effort);
    }
    await delay(effort.restMs);
    return { row, results: entrants.map((entrant) => entrant.result()) };
  } finally {
    await Promise.all(entrants.map((entrant) => entrant.close()));
  }
}

/** A contender in one row. Once it has failed it does nothing more. */
class Entrant {
  readonly #contender: Contender;
  readonly #row: Row;
  #target: Target | null = null;
  #failed: string | null = null;
  /** Calls per second, as last seen. */
  #rate = 0;
  readonly #rounds: Round[] = [];

  private constructor(contender: Contender, row: Row) {
    this.#contender = contender;
    this.#row = row;
  }

  static async start(contender: Contender, row: Row, stage: Stage): Promise<Entrant> {
    const entrant = new Entrant(contender, row);
    try {
      entrant.#target = await contender.start(row, stage);
    } catch (error) {
      entrant.#fail(error);
    }
    return entrant;
  }

  /** Runs longer and longer until the rate can be told. */
  warmUp({ seconds }: Effort): Promise<void> {
    return this.#attempt(async (target) => {
      await target.prove();
      let calls = this.#atLeast(0);
      for (let lasted = 0; lasted < seconds / 4; calls *= 4) {
        const run = await target.run(calls, false);
        lasted = run.seconds;
        this.#rate = calls / run.seconds;
      }
    });
  }

  measure({ seconds }: Effort): Promise<void> {
    return this.#attempt(async (target) => {
      await target.prove();
      const calls = this.#atLeast(this.#rate * seconds);
      const together = this.#rate <= loggableRate;
      const before = cpuSeconds(target.server.pid);
      const run = await target.run(calls, together);
      const cpu = cpuSeconds(target.server.pid) - before;
      this.#rate = calls / run.seconds;
      const logged = run.latencies ?? (await this.#latencies(target, seconds));
      this.#rounds.push({
        calls,
        seconds: run.seconds,
        cpuSeconds: cpu,
        p50: percentile(logged, 0.5),
        p99: percentile(logged, 0.99),
      });
    });
  }

  result(): Result {
    const target = this.#target;
    const memory = target === null || this.#failed !== null ? null : residentMemory(target.server.pid);
    return {
      contender: this.#contender.name,
      serverCommand: target?.server.command ?? '',
      clientCommand: target?.client ?? '',
      notes: target?.server.errors ?? '',
      failed: this.#failed,
      rounds: this.#failed === null ? this.#rounds : [],
      memory: memory === null ? null : { peak: memory.peak, after: memory.now },
    };
  }

  async close(): Promise<void> {
    await this.#target?.close();
  }

  async #latencies(target: Target, seconds: number): Promise<Float64Array> {
    const { latencies }: Run = await target.run(this.#atLeast((this.#rate * seconds) / 4), true);
    return latencies ?? new Float64Array(0);
  }

  /** As many calls as asked for, but every connection has one, and all the same number. */
  #atLeast(calls: number): number {
    const width = inFlight(this.#row);
    return Math.max(1, Math.ceil(calls / width)) * width;
  }

  async #attempt(step: (target: Target) => Promise<void>): Promise<void> {
    if (this.#target === null || this.#failed !== null) return;
    try {
      await step(this.#target);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failed = error instanceof Error ? error.message : String(error);
  }
}
