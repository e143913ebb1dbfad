import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import {
  engineStats,
  expectLicences,
  expectNoCallLeft,
  expectServing,
  type Loader,
  type LoaderChanges,
  patience,
  startLoader,
  useLoader,
  variants,
} from '../fixtures/loader.js';
import { callXsf, onceInput, onceRequest, StreamClient } from '../fixtures/xsf-client.js';
import { FaultRun } from './fault-run.js';
import { behaviours, entryPoints, type Event, events, excluded, type Fault, faults } from './faults.js';

const cells = behaviours.flatMap((behaviour) =>
  entryPoints.flatMap((at) => events.map((event) => ({ behaviour, at, event }))),
);

it('has a case for every combination, or says why there can be none', () => {
  const covered = new Set(faults.map(({ behaviour, at, event }) => `${at} ${behaviour}, ${event}`));
  const wrong = cells.filter(
    ({ behaviour, at, event }) =>
      covered.has(`${at} ${behaviour}, ${event}`) !== (excluded(behaviour, at, event) === null),
  );
  expect(wrong).toEqual([]);
});

const permits = 128;
const roomy: LoaderChanges = { permits, limits: { threads: 128 } };

/** Faults that one loader meets at the same time. */
const groups: readonly { readonly name: string; readonly events: readonly Event[]; readonly changes: LoaderChanges }[] =
  [
    {
      name: 'while the loader goes on',
      events: ['none', 'abort', 'cancel', 'disconnect', 'waitTime', 'deadline'],
      changes: roomy,
    },
    {
      name: 'until the time of a session is up',
      events: ['TTL'],
      changes: { ...roomy, streams: { ttlMs: 10_000, rollMs: 20 } },
    },
  ];

describe.each(variants)('faults of $name', (variant) => {
  const ours = faults.filter(({ engine }) => engine === variant.engine);

  describe.each(groups)('$name', ({ events: of, changes }) => {
    const loader = useLoader(variant, changes);
    const list = ours.filter(({ event }) => of.includes(event));
    const runs = new Map<Fault, FaultRun>();
    const failures = new Map<Fault, unknown>();

    beforeAll(async () => {
      for (const fault of list) runs.set(fault, new FaultRun(loader(), fault, handleOf(fault)));
      await inSteps(runs, failures, ['begin', 'happen', 'finish']);
    });

    afterAll(() => {
      for (const run of runs.values()) run.close();
    });

    it.each(list)('$name', async (fault) => {
      const run = runOf(runs, failures, fault);
      expectSeen(run, fault);
      expect(await run.afterwards()).toBe(fault.event === 'TTL' ? 10008 : 10101);
    });

    it('leaves every licence free, and nothing in the engine', async () => {
      await vi.waitFor(() => expectLicences(loader(), permits), patience);
      await expectServing(loader());
      await expectNoCallLeft();
      const stats = await engineStats(loader());
      expect({ handles: stats('handles'), overlap: stats('overlap'), waiting: stats('waiting') }).toEqual({
        handles: 0,
        overlap: 0,
        waiting: 0,
      });
    });
  });

  describe.each([
    { event: 'drain' as const, drainTimeoutMs: 60_000 },
    { event: 'shutdown' as const, drainTimeoutMs: 200 },
  ])('at a $event', ({ event, drainTimeoutMs }) => {
    const list = ours.filter((fault) => fault.event === event);
    const runs = new Map<Fault, FaultRun>();
    const failures = new Map<Fault, unknown>();
    let drained: Awaited<ReturnType<Loader['drain']>>;

    beforeAll(async () => {
      // What the clients see and the gates let go has to come within the last words.
      const loader = await startLoader(variant, {
        ...roomy,
        limits: { threads: 128, drainTimeoutMs },
        lastWordsMs: 30_000,
      });
      for (const fault of list) runs.set(fault, new FaultRun(loader, fault, handleOf(fault)));
      await inSteps(runs, failures, ['begin']);
      const draining = loader.drain();
      await inSteps(runs, failures, ['happen', 'finish']);
      drained = await draining;
    });

    afterAll(() => {
      for (const run of runs.values()) run.close();
    });

    it.each(list)('$name', (fault) => {
      expectSeen(runOf(runs, failures, fault), fault);
    });

    it('ends the engine when the last call has returned', async () => {
      expect(drained).toEqual({ stuck: 0, ended: true });
      await expectNoCallLeft();
    });
  });
});

const asynchronous = variants.filter(({ engine }) => engine === 'asynchronous');

describe.each(asynchronous)('callbacks that $name loses', (variant) => {
  const few = 4;
  // By the time that they are up, the engine has to know of the calls and streams: else it owes nothing for them.
  const loader = useLoader(variant, { permits: few, streams: { ttlMs: 5000, rollMs: 20 } });

  it('cost one-shot calls their answer, and nobody else anything', async () => {
    const lost = await Promise.all(
      Array.from({ length: few }, () =>
        callXsf(
          loader().client,
          onceRequest(onceInput({ params: { callback: 'never' } }), { param: { SeqNo: '1', waitTime: '5000' } }),
        ),
      ),
    );
    expect(lost.map(({ output }) => output?.code)).toEqual(lost.map(() => 10102));
    await expectLicences(loader(), few);
    await expectServing(loader());
  });

  it('cost streams their session, also those that nobody aborts', async () => {
    const streams = Array.from({ length: few }, () => new StreamClient(loader().client));
    for (const stream of streams) {
      expect((await stream.create({ params: { callback: 'never' } })).output?.code).toBe(0);
    }
    for (const stream of streams) await stream.write(1, 'x', 2);
    await vi.waitFor(() => expectLicences(loader(), few), patience);
    await expectServing(loader());
  });

  it('leave a tag each, until the engine ends', () => {
    expect(counters().tombstones).toBeGreaterThanOrEqual(2 * few);
  });
});

describe.each(asynchronous)('late callbacks of $name with abandon = "hold"', (variant) => {
  const list = faults.filter(
    ({ shape, behaviour, event }) =>
      shape === 'once' && behaviour === 'late' && ['abort', 'cancel', 'waitTime', 'deadline'].includes(event),
  );
  const loader = useLoader(variant, { permits: list.length, plugin: { abandon: 'hold' } });

  it('keep the licence until they come', async () => {
    // Nobody takes the answer, but the call is the engine's until then: its callback is a good one.
    const runs = list.map((fault) => ({
      fault,
      run: new FaultRun(loader(), { ...fault, expected: fault.calls }, `hold ${fault.event}`),
    }));
    await Promise.all(runs.map(({ run }) => run.begin()));
    await Promise.all(runs.map(({ run }) => run.happen()));
    for (const { run, fault } of runs) expectSeen(run, fault);
    expect((await callXsf(loader().client, onceRequest())).output?.code).toBe(10110);
    await Promise.all(runs.map(({ run }) => run.finish()));
    await vi.waitFor(() => expectLicences(loader(), list.length), patience);
    for (const { run } of runs) run.close();
  });
});

/** Takes all runs through the steps together. One that fails takes part no more, and its own test reports it. */
async function inSteps(
  runs: ReadonlyMap<Fault, FaultRun>,
  failures: Map<Fault, unknown>,
  steps: readonly ('begin' | 'happen' | 'finish')[],
): Promise<void> {
  for (const step of steps) {
    await Promise.all(
      [...runs].map(async ([fault, run]) => {
        if (failures.has(fault)) return;
        try {
          await run[step]();
        } catch (error) {
          failures.set(fault, error);
          run.close();
        }
      }),
    );
  }
}

function runOf(runs: ReadonlyMap<Fault, FaultRun>, failures: ReadonlyMap<Fault, unknown>, fault: Fault): FaultRun {
  if (failures.has(fault)) throw failures.get(fault);
  const run = runs.get(fault);
  if (run === undefined) throw new Error(`${fault.name} was not run`);
  return run;
}

/** Where two clocks race, either may win. */
function expectSeen(run: FaultRun, { seen }: Fault): void {
  expect(run.seen).toHaveLength(seen.length);
  seen.forEach((allowed, index) => {
    expect(allowed).toContain(run.seen[index]);
  });
}

/** Readable, and unlike any other of the run. */
function handleOf({ engine, name }: Fault): string {
  return `${engine} ${name}`;
}
