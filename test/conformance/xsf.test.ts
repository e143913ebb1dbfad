import { describe, expect, it } from 'vitest';
import { useLoader, variants } from '../fixtures/loader.js';
import { type Setup, setups } from './case.js';
import { cases } from './cases/index.js';
import { rows } from './rows.js';
import { runCase } from './run-case.js';

describe('the table', () => {
  it.each(Object.keys(rows))('has a case for %s', (row) => {
    expect(cases.flatMap(({ covers }) => covers)).toContain(row);
  });

  it('names each case once', () => {
    const names = cases.map(({ name, engine, on }) => `${name} (${engine ?? 'both'}, ${on ?? 'usual'})`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});

describe.each(variants)('xsf with $name', (variant) => {
  const ours = cases.filter(({ engine }) => engine === undefined || engine === variant.engine);
  describe.each(Object.keys(setups) as Setup[])('%s', (setup) => {
    const loader = useLoader(variant, setups[setup]);
    // Cases of one loader do not know of each other; those of one with few licences would notice.
    const run = 'permits' in setups[setup] && setups[setup].permits === 1 ? it : it.concurrent;
    run.each(ours.filter(({ on = 'usual' }) => on === setup))('$name', (one) => runCase(loader(), one));
  });
});
