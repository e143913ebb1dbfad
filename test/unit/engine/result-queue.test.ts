import { describe, expect, it } from 'vitest';
import { ResultQueue } from '../../../src/engine/result-queue.js';

const never = new AbortController().signal;

describe('ResultQueue', () => {
  it('gives null at once to who does not wait, when there is nothing', async () => {
    expect(await new ResultQueue<string>(10).take(AbortSignal.abort())).toBeNull();
  });

  it('gives null when the wait is over, and the result to the next one', async () => {
    const queue = new ResultQueue<string>(10);
    const wait = new AbortController();
    const taken = queue.take(wait.signal);
    wait.abort();
    expect(await taken).toBeNull();
    void queue.push('a');
    expect(await queue.take(AbortSignal.abort())).toBe('a');
  });

  it('sends away who waits when it ends, but still gives what is queued', async () => {
    const queue = new ResultQueue<string>(10);
    const waiting = queue.take(never);
    queue.end();
    expect(await waiting).toBeNull();
    void queue.push('last');
    expect(await queue.take(never)).toBe('last');
    expect(await queue.take(never)).toBeNull();
  });

  it('gives each result to one taker, in the order of asking', async () => {
    const queue = new ResultQueue<string>(10);
    const takers = [queue.take(never), queue.take(never)];
    void queue.push('a');
    void queue.push('b');
    expect(await Promise.all(takers)).toEqual(['a', 'b']);
    expect(queue.size).toBe(0);
  });

  it('holds the producer up while it is full', async () => {
    const queue = new ResultQueue<number>(2);
    await queue.push(1);
    let pushed = false;
    const second = queue.push(2).then(() => (pushed = true));
    await Promise.resolve();
    expect(pushed).toBe(false);
    await queue.take(never);
    await second;
    expect(pushed).toBe(true);
  });

  it('holds the producer up while results are too large together, and takes one of any size', async () => {
    const queue = new ResultQueue<string>(10, { max: 5, of: (text) => text.length });
    await queue.push('four');
    let pushed = 0;
    const large = queue.push('much larger').then(() => pushed++);
    const small = queue.push('x').then(() => pushed++);
    await queue.take(never);
    await Promise.resolve();
    expect(pushed).toBe(0);
    expect(await queue.take(never)).toBe('much larger');
    await small;
    expect(pushed).toBe(1);
    queue.end();
    void large;
    expect(queue.size).toBe(1);
  });

  it('counts a result that has changed as what it was when it came', async () => {
    const queue = new ResultQueue<number[]>(10, { max: 2, of: ({ length }) => length });
    const result = [1, 2];
    void queue.push(result);
    result.length = 0;
    await queue.take(never);
    let room = false;
    void queue.push([3]).then(() => (room = true));
    await Promise.resolve();
    expect(room).toBe(true);
  });

  it('lets the producer go when it ends', async () => {
    const queue = new ResultQueue<number>(1);
    const pushed = queue.push(1);
    queue.end();
    await pushed;
    expect(queue.clear()).toEqual([1]);
  });
});
