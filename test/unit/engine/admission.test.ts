import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import { Admission, type Permit } from '../../../src/engine/admission.js';

const never = new AbortController().signal;

describe('Admission', () => {
  it('refuses at once when every permit is taken and the caller does not wait', () => {
    const admission = new Admission({ permits: 1, queue: 5 });
    admission.tryAcquire();
    expect(() => admission.tryAcquire()).toThrow('service license not enough');
  });

  it('refuses a caller who would wait when the queue is full, and says how full it is', async () => {
    const admission = new Admission({ permits: 1, queue: 1 });
    admission.tryAcquire();
    void admission.acquire(never);
    await expect(admission.acquire(never)).rejects.toMatchObject({
      code: 10110,
      message: 'service license not enough: 1 running, 1 waiting',
    });
  });

  it("rejects a waiting caller with its signal's reason and gives its place in the queue away", async () => {
    const admission = new Admission({ permits: 1, queue: 1 });
    const permit = admission.tryAcquire();
    const leaving = new AbortController();
    const refused = expect(admission.acquire(leaving.signal)).rejects.toMatchObject({ kind: 'timeout' });
    leaving.abort(new AigesError('timeout'));
    await refused;
    const next = admission.acquire(never);
    permit.release();
    await expect(next).resolves.toBeDefined();
  });

  it('refuses everyone who comes after it was closed, and still serves those who waited', async () => {
    const admission = new Admission({ permits: 1, queue: 2 });
    const permit = admission.tryAcquire();
    const leaving = new AbortController();
    const waiting = admission.acquire(never);
    const late = expect(admission.acquire(leaving.signal)).rejects.toMatchObject({ kind: 'shuttingDown' });
    admission.close();
    expect(() => admission.tryAcquire()).toThrow('shutting down');
    await expect(admission.acquire(never)).rejects.toMatchObject({ kind: 'shuttingDown' });
    permit.release();
    await expect(waiting).resolves.toBeDefined();
    expect(() => admission.tryAcquire()).toThrow('shutting down');
    leaving.abort(new AigesError('shuttingDown'));
    await late;
  });

  it('is not idle before those who waited have been served or have left', async () => {
    const admission = new Admission({ permits: 1, queue: 2 });
    const first = admission.tryAcquire();
    const leaving = new AbortController();
    const second = admission.acquire(never);
    const third = expect(admission.acquire(leaving.signal)).rejects.toMatchObject({ kind: 'timeout' });
    admission.close();
    let idle = false;
    const wait = admission.idle().then(() => (idle = true));
    first.release();
    const permit = await second;
    leaving.abort(new AigesError('timeout'));
    await third;
    await settle();
    expect(idle).toBe(false);
    permit.release();
    await wait;
    expect(admission).toMatchObject({ running: 0, waiting: 0 });
  });

  it('is idle once the last permit is back', async () => {
    const admission = new Admission({ permits: 2, queue: 0 });
    const permits = [admission.tryAcquire(), admission.tryAcquire()];
    admission.close();
    let idle = false;
    const wait = admission.idle().then(() => (idle = true));
    permits[0]?.release();
    await Promise.resolve();
    expect(idle).toBe(false);
    permits[1]?.release();
    await wait;
    expect(idle).toBe(true);
  });

  it('counts a permit that is released twice once', () => {
    const admission = new Admission({ permits: 2, queue: 0 });
    const permit = admission.tryAcquire();
    admission.tryAcquire();
    permit.release();
    permit.release();
    expect(admission.running).toBe(1);
  });

  it('lets who waits in when it grows', async () => {
    const admission = new Admission({ permits: 1, queue: 5 });
    admission.tryAcquire();
    const waiting = [admission.acquire(never), admission.acquire(never)];
    await admission.resize(3, never);
    await Promise.all(waiting);
    expect(admission.running).toBe(3);
  });

  it('lets nobody in while it shrinks, and takes the new limit once enough have ended', async () => {
    const admission = new Admission({ permits: 2, queue: 0 });
    const [first, second] = [admission.tryAcquire(), admission.tryAcquire()];
    const shrunk = admission.resize(1, never);
    first.release();
    await shrunk;
    expect(() => admission.tryAcquire()).toThrow('service license not enough');
    second.release();
    admission.tryAcquire();
  });

  it('keeps the old limit when too many are still running', async () => {
    const admission = new Admission({ permits: 2, queue: 0 });
    const permit = admission.tryAcquire();
    admission.tryAcquire();
    const late = AbortSignal.abort(new AigesError('resizeTimeout'));
    await expect(admission.resize(1, late)).rejects.toMatchObject({ code: 10104 });
    permit.release();
    admission.tryAcquire();
  });

  it.each([3, 2, 1])(
    'takes a limit of %i at once for one that runs, though there is no time to wait',
    async (limit) => {
      const admission = new Admission({ permits: 2, queue: 0 });
      await admission.acquire(never);
      await admission.resize(limit, AbortSignal.abort(new AigesError('resizeTimeout')));
      expect(admission.permits).toBe(limit);
    },
  );

  describe('resized again while it shrinks', () => {
    const expired = new AigesError('resizeTimeout');

    function full(): { readonly admission: Admission; readonly permits: readonly Permit[] } {
      const admission = new Admission({ permits: 8, queue: 0 });
      return { admission, permits: Array.from({ length: 8 }, () => admission.tryAcquire()) };
    }

    it.each([
      ['first', [0, 1]],
      ['last', [1, 0]],
    ])('keeps the old limit when both fail, the one that was asked for first %s', async (_name, order) => {
      const { admission } = full();
      const aborts = [new AbortController(), new AbortController()];
      const resizes = [4, 2].map((permits, index) =>
        expect(admission.resize(permits, aborts[index]?.signal ?? never)).rejects.toBe(expired),
      );
      expect(admission.permits).toBe(2);
      for (const index of order) {
        aborts[index]?.abort(expired);
        await resizes[index];
      }
      expect(admission.permits).toBe(8);
    });

    it('goes on shrinking to the first limit when the second one fails, and keeps that', async () => {
      const { admission, permits } = full();
      const abort = new AbortController();
      const first = admission.resize(4, never);
      const second = expect(admission.resize(2, abort.signal)).rejects.toBe(expired);
      abort.abort(expired);
      await second;
      expect(admission.permits).toBe(4);
      for (const permit of permits.slice(4)) permit.release();
      await first;
      expect(admission.permits).toBe(4);
    });

    it('has the limit that could be reached when the second one fails later', async () => {
      const { admission, permits } = full();
      const abort = new AbortController();
      const first = admission.resize(4, never);
      const second = expect(admission.resize(2, abort.signal)).rejects.toBe(expired);
      for (const permit of permits.slice(4)) permit.release();
      await first;
      expect(admission.permits).toBe(2);
      abort.abort(expired);
      await second;
      expect(admission.permits).toBe(4);
    });

    it.each(['fails', 'is reached'])(
      'keeps what came last and was reached, also when the first one %s',
      async (how) => {
        const { admission, permits } = full();
        const abort = new AbortController();
        const first = admission.resize(4, abort.signal);
        await admission.resize(10, never);
        if (how === 'fails') {
          abort.abort(expired);
          await expect(first).rejects.toBe(expired);
        } else {
          for (const permit of permits) permit.release();
          await first;
        }
        expect(admission.permits).toBe(10);
      },
    );
  });

  it('never lets more run than permitted, never leaves a permit idle, and serves in order', async () => {
    const operations = fc.array(fc.constantFrom('acquire', 'release', 'leave'), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        operations,
        async (permits, queue, steps) => {
          const admission = new Admission({ permits, queue });
          const held: Permit[] = [];
          const order: number[] = [];
          const waiting: { id: number; leave: AbortController }[] = [];
          let id = 0;
          for (const step of steps) {
            if (step === 'acquire') {
              const mine = id++;
              const leave = new AbortController();
              const full = admission.running === permits && admission.waiting === queue;
              waiting.push({ id: mine, leave });
              const drop = (): void => {
                const index = waiting.findIndex((entry) => entry.id === mine);
                if (index >= 0) waiting.splice(index, 1);
              };
              admission.acquire(leave.signal).then((permit) => {
                drop();
                held.push(permit);
                order.push(mine);
              }, drop);
              await settle();
              if (full) expect(waiting.some((entry) => entry.id === mine)).toBe(false);
            } else if (step === 'release') held.shift()?.release();
            else waiting.at(-1)?.leave.abort(new AigesError('timeout'));
            await settle();
            expect(admission.running).toBe(held.length);
            expect(admission.running).toBeLessThanOrEqual(permits);
            expect(admission.waiting).toBe(waiting.length);
            if (admission.waiting > 0) expect(admission.running).toBe(permits);
          }
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 100 },
    );
  });
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}
