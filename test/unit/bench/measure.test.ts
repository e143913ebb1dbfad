import { afterAll, describe, expect, it } from 'vitest';
import type { Contender, Target } from '../../../bench/contenders.js';
import { measureRow } from '../../../bench/measure.js';
import { parseRow } from '../../../bench/rows.js';
import { Stage } from '../../../bench/stage.js';

const stage = new Stage();
const row = parseRow('32B-8');
const effort = { seconds: 1, rounds: 3, restMs: 0 };

afterAll(() => stage.close());

/** One that takes a millisecond for each call, by its own account, and writes down what happens to it. */
function fake(name: string, log: string[], changes: Partial<Target> = {}): Contender {
  const target: Target = {
    server: { pid: process.pid, command: `serve ${name}`, errors: `${name} has something to say` },
    client: `load ${name}`,
    prove: () => Promise.resolve(),
    run: (calls, withLatencies) => {
      log.push(`${name} ${calls}${withLatencies ? ' with latencies' : ''}`);
      return Promise.resolve({ seconds: calls / 1000, latencies: withLatencies ? Float64Array.of(5, 6, 900) : null });
    },
    close: () => {
      log.push(`${name} closed`);
      return Promise.resolve();
    },
    ...changes,
  };
  return { name, suits: () => true, start: () => Promise.resolve(target) };
}

describe('measureRow', () => {
  it('reports a contender that does not start, and measures the others', async () => {
    const broken: Contender = { name: 'broken', suits: () => true, start: () => Promise.reject(new Error('no port')) };
    const { results } = await measureRow(row, [broken, fake('good', [])], stage, effort);
    expect(results[0]).toMatchObject({ contender: 'broken', failed: 'no port', rounds: [], memory: null });
    expect(results[1]).toMatchObject({ contender: 'good', failed: null });
    expect(results[1]?.rounds).toHaveLength(3);
  });

  it('drops the good rounds of one that fails later, and asks it no more', async () => {
    const log: string[] = [];
    let runs = 0;
    const late = fake('late', log, {
      run: (calls) => {
        runs++;
        return runs === 5
          ? Promise.reject(new Error('answers were short'))
          : Promise.resolve({ seconds: calls / 1000, latencies: Float64Array.of(1) });
      },
    });
    const { results } = await measureRow(row, [late], stage, effort);
    expect(results[0]).toMatchObject({ failed: 'answers were short', rounds: [], memory: null });
    expect(runs).toBe(5);
    expect(log).toEqual(['late closed']);
  });

  it('reports one whose checked answer is wrong', async () => {
    const wrong = fake('wrong', [], { prove: () => Promise.reject(new Error('not what was sent')) });
    const { results } = await measureRow(row, [wrong], stage, effort);
    expect(results[0]).toMatchObject({ failed: 'not what was sent' });
  });

  it('leaves out those that cannot do the row', async () => {
    const { results } = await measureRow(row, [{ ...fake('no', []), suits: () => false }], stage, effort);
    expect(results).toEqual([]);
  });

  it('lets contenders take turns, every connection with the same number of calls', async () => {
    const log: string[] = [];
    const { results } = await measureRow(row, [fake('a', log), fake('b', log)], stage, effort);
    expect(log).toEqual([
      ...['a 8', 'a 32', 'a 128', 'a 512', 'b 8', 'b 32', 'b 128', 'b 512'],
      ...Array.from({ length: 3 }, () => ['a 1000 with latencies', 'b 1000 with latencies']).flat(),
      ...['a closed', 'b closed'],
    ]);
    expect(results[0]).toMatchObject({
      serverCommand: 'serve a',
      clientCommand: 'load a',
      notes: 'a has something to say',
      failed: null,
    });
    expect(results[0]?.rounds[0]).toMatchObject({ calls: 1000, seconds: 1, p50: 6, p99: 900 });
    expect(results[0]?.memory?.after).toBeGreaterThan(0);
  });

  it('takes latencies in a run of their own where writing them down would slow the client', async () => {
    const log: string[] = [];
    const fast = fake('fast', log, {
      run: (calls, withLatencies) => {
        log.push(`${calls}${withLatencies ? ' with latencies' : ''}`);
        return Promise.resolve({
          seconds: calls / 10_000,
          latencies: withLatencies ? Float64Array.of(7) : null,
        });
      },
    });
    const { results } = await measureRow(row, [fast], stage, { ...effort, rounds: 1 });
    expect(log.slice(-3)).toEqual(['10000', '2504 with latencies', 'fast closed']);
    expect(results[0]?.rounds).toMatchObject([{ calls: 10_000, p50: 7 }]);
  });
});
