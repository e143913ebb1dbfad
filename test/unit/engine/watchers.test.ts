import { expect, it } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import { Watchers } from '../../../src/engine/watchers.js';

const late = new AigesError('timeout');

it('refuses who waits when the signal aborts, with its reason, and lets nobody look for it any more', async () => {
  const watchers = new Watchers();
  const abort = new AbortController();
  let looked = 0;
  const waiting = watchers.until(() => ++looked < 0, abort.signal);
  abort.abort(late);
  await expect(waiting).rejects.toBe(late);
  watchers.look();
  expect(looked).toBe(1);
});

it('refuses who comes with an aborted signal, whatever holds', async () => {
  await expect(new Watchers().until(() => true, AbortSignal.abort(late))).rejects.toBe(late);
});

it('lets go at once of who waits for what holds already', async () => {
  await new Watchers().until(() => true);
});

it('looks for each who waits at every change, until it holds for them', async () => {
  const watchers = new Watchers();
  let count = 0;
  const reached: number[] = [];
  const waiting = [1, 2].map((least) => watchers.until(() => count >= least).then(() => reached.push(least)));
  for (count = 1; count <= 2; count++) {
    watchers.look();
    await waiting[count - 1];
    expect(reached).toEqual(count === 1 ? [1] : [1, 2]);
  }
});
