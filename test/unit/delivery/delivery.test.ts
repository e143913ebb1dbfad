import { afterEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import { Delivery, type DeliveryOptions, type Link, type Loss } from '../../../src/delivery/delivery.js';
import { eventually } from '../../fixtures/eventually.js';
import { gate } from '../../fixtures/fake-runtime.js';

/** A link that records what it gets and confirms what the test tells it to. */
class FakeLink implements Link {
  readonly sent: { readonly text: string; readonly taken: () => void }[] = [];
  closed = 0;
  readonly #ended = gate<Loss>();
  /** What it does with a message. */
  onSend: (text: string, taken: () => void) => void = () => undefined;

  get lost(): Promise<Loss> {
    return this.#ended.promise;
  }

  get texts(): string[] {
    return this.sent.map(({ text }) => text);
  }

  send(body: Uint8Array, taken: () => void): void {
    const text = Buffer.from(body).toString();
    this.sent.push({ text, taken });
    this.onSend(text, taken);
  }

  /** Breaks. */
  end(message: string): void {
    this.#ended.open({ reason: new AigesError('initFailed', { message }), refused: false });
  }

  /** Ends because of a message. */
  refuse(message: string): void {
    this.#ended.open({ reason: new AigesError('initFailed', { message }), refused: true });
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

const takeAll = (_text: string, taken: () => void): void => {
  taken();
};

let delivery: Delivery;
let links: FakeLink[] = [];
let troubles: string[] = [];
let restored: number[] = [];

async function open(changes: Partial<DeliveryOptions> = {}): Promise<FakeLink> {
  links = [];
  troubles = [];
  restored = [];
  delivery = new Delivery({
    connect: () => {
      const link = new FakeLink();
      links.push(link);
      return Promise.resolve(link);
    },
    attempts: 3,
    waiting: 100,
    waitingBytes: 1 << 20,
    onTrouble: (reason) => troubles.push(reason.message),
    onRestored: (waiting) => restored.push(waiting),
    ...changes,
  });
  await delivery.start();
  return linkAt(0);
}

function linkAt(index: number): FakeLink {
  const link = links[index];
  if (link === undefined) throw new Error(`there is no link ${index}`);
  return link;
}

async function nextLink(index: number): Promise<FakeLink> {
  await eventually(() => links.length).toBeGreaterThan(index);
  return linkAt(index);
}

const publish = (text: string): Promise<void> => delivery.publish(Buffer.from(text));

/** What becomes of a message, for those of which a test expects nothing. */
const settled = (promise: Promise<void>): Promise<string> =>
  promise.then(
    () => 'delivered',
    (error: unknown) => (error as Error).message,
  );

afterEach(async () => {
  await delivery.close();
});

describe('a delivery', () => {
  it('fails to start when there is no link, with the reason', async () => {
    const connect = (): Promise<Link> => Promise.reject(new AigesError('initFailed', { message: 'nobody there' }));
    await expect(open({ connect })).rejects.toThrow('nobody there');
  });

  it('gives up what nobody has taken when it is closed, and everything after that', async () => {
    const link = await open();
    const waiting = [settled(publish('a')), settled(publish('b'))];
    await delivery.close();
    waiting.push(settled(publish('c')));
    expect(await Promise.all(waiting)).toEqual(Array(3).fill('not delivered before the end'));
    expect(delivery.counts).toEqual({ waiting: 0, delivered: 0, failed: 3 });
    expect(link.closed).toBe(1);
    expect(delivery.full).toBe(false);
  });

  it('gives up what waits for a link, when it is closed', async () => {
    let calls = 0;
    const first = new FakeLink();
    await open({
      connect: (signal) =>
        calls++ === 0
          ? Promise.resolve(first)
          : new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                reject(new AigesError('initFailed', { message: 'ended' }));
              });
            }),
    }).catch(() => undefined);
    first.end('gone');
    await eventually(() => calls).toBe(2);
    const waiting = settled(publish('a'));
    await delivery.close();
    expect(await waiting).toBe('not delivered before the end');
  });

  it('closes a link that opens after it was closed itself', async () => {
    const opening = gate<Link>();
    const link = new FakeLink();
    await open();
    const late = new Delivery({
      connect: () => opening.promise,
      attempts: 1,
      waiting: 1,
      waitingBytes: 1,
      onTrouble: () => undefined,
      onRestored: () => undefined,
    });
    const starting = late.start();
    await late.close();
    opening.open(link);
    await starting;
    expect(link.closed).toBe(1);
  });

  it('gives a message up that was refused alone, after as many attempts as allowed', async () => {
    const first = await open({ attempts: 2 });
    const bad = settled(publish('bad'));
    first.refuse('too large');
    const second = await nextLink(1);
    expect(second.texts).toEqual(['bad']);
    const good = settled(publish('good'));
    second.refuse('too large');
    expect(await bad).toBe('too large');
    const third = await nextLink(2);
    expect(third.texts).toEqual(['good']);
    third.sent[0]?.taken();
    expect(await good).toBe('delivered');
    expect(delivery.counts).toEqual({ waiting: 0, delivered: 1, failed: 1 });
  });

  it('keeps a message that nobody has refused through any number of links that break', async () => {
    let link = await open({ attempts: 2 });
    const outcome = settled(publish('a'));
    for (let index = 1; index <= 3; index++) {
      link.end('ECONNRESET');
      link = await nextLink(index);
      expect(link.texts).toEqual(['a']);
    }
    // One refusal is not yet the last.
    link.refuse('too large');
    link = await nextLink(4);
    expect(link.texts).toEqual(['a']);
    link.sent[0]?.taken();
    expect(await outcome).toBe('delivered');
    expect(delivery.counts).toEqual({ waiting: 0, delivered: 1, failed: 0 });
  });

  it('sends what was on its way again, one at a time, so that the others do not pay for the one that is to blame', async () => {
    const attempts = 2;
    const first = await open({ attempts });
    const outcomes = ['a', 'b', 'bad', 'c', 'd'].map((text) => settled(publish(text)));
    expect(first.texts).toEqual(['a', 'b', 'bad', 'c', 'd']);
    first.refuse('too large');
    for (let index = 1; ; index++) {
      const link = await nextLink(index);
      link.onSend = (text, taken) => {
        if (text === 'bad') link.refuse('too large');
        else setImmediate(taken);
      };
      for (const { text, taken } of [...link.sent]) link.onSend(text, taken);
      const lost = await Promise.race([Promise.all(outcomes).then(() => false), link.lost.then(() => true)]);
      if (!lost) break;
    }
    expect(await Promise.all(outcomes)).toEqual(['delivered', 'delivered', 'too large', 'delivered', 'delivered']);
    for (const { texts } of links.slice(1)) expect(texts.slice(0, -1)).not.toContain('bad');
  });

  it('keeps the order through the end of a link, with what came meanwhile behind', async () => {
    const first = await open();
    const outcomes = ['1', '2', '3'].map((text) => settled(publish(text)));
    first.sent[0]?.taken();
    first.end('gone');
    await first.lost;
    outcomes.push(settled(publish('4')), settled(publish('5')));
    expect(first.texts).toEqual(['1', '2', '3']);
    const second = await nextLink(1);
    second.onSend = takeAll;
    second.sent[0]?.taken();
    expect(await Promise.all(outcomes)).toEqual(Array(5).fill('delivered'));
    expect(second.texts).toEqual(['2', '3', '4', '5']);
  });

  it('takes no word from a link that has ended', async () => {
    const first = await open();
    const outcome = settled(publish('a'));
    first.end('gone');
    const second = await nextLink(1);
    first.sent[0]?.taken();
    expect(delivery.counts).toMatchObject({ waiting: 1, delivered: 0 });
    second.sent[0]?.taken();
    expect(await outcome).toBe('delivered');
    expect(delivery.counts).toMatchObject({ waiting: 0, delivered: 1 });
  });

  it('tells each reason once while there is no link, and how many messages waited for the next one', async () => {
    const reasons = ['refused', 'refused', 'unknown host'];
    let calls = 0;
    const first = new FakeLink();
    const last = new FakeLink();
    await open({
      connect: () => {
        if (calls++ === 0) return Promise.resolve(first);
        const message = reasons.shift();
        return message === undefined
          ? Promise.resolve(last)
          : Promise.reject(new AigesError('initFailed', { message }));
      },
    }).catch(() => undefined);
    first.end('gone');
    await first.lost;
    const outcome = settled(publish('a'));
    await eventually(() => last.texts).toEqual(['a']);
    last.sent[0]?.taken();
    expect(await outcome).toBe('delivered');
    expect(troubles).toEqual(['gone', 'refused', 'unknown host']);
    expect(restored).toEqual([1]);
  });

  it('is full with as many messages as may wait, those on their way included, until one is through', async () => {
    const link = await open({ waiting: 2 });
    const outcomes = [settled(publish('a'))];
    expect(delivery.full).toBe(false);
    outcomes.push(settled(publish('b')));
    expect(delivery.full).toBe(true);
    // What was accepted before still finds its place.
    outcomes.push(settled(publish('c')));
    link.sent[0]?.taken();
    expect(delivery.full).toBe(true);
    link.sent[1]?.taken();
    expect(delivery.full).toBe(false);
    link.sent[2]?.taken();
    expect(await Promise.all(outcomes)).toEqual(Array(3).fill('delivered'));
  });

  it('is full with as many bytes as may wait', async () => {
    const link = await open({ waitingBytes: 5 });
    const outcomes = [settled(publish('abcd'))];
    expect(delivery.full).toBe(false);
    outcomes.push(settled(publish('e')));
    expect(delivery.full).toBe(true);
    for (const { taken } of link.sent) taken();
    expect(await Promise.all(outcomes)).toEqual(['delivered', 'delivered']);
    expect(delivery.full).toBe(false);
  });

  it('has a bounded number of messages on their way at once', async () => {
    const link = await open({ waiting: 10_000 });
    const outcomes = Array.from({ length: 1000 }, (_, number) => settled(publish(String(number))));
    expect(link.sent.length).toBe(256);
    link.onSend = takeAll;
    for (const { taken } of [...link.sent]) taken();
    expect(await Promise.all(outcomes)).toEqual(Array(1000).fill('delivered'));
    expect(link.texts).toEqual(Array.from({ length: 1000 }, (_, number) => String(number)));
  });

  it('has a bounded number of bytes on their way at once, but never none', async () => {
    const link = await open({ waitingBytes: 100 << 20 });
    const large = Buffer.alloc(9 << 20);
    const outcomes = [settled(delivery.publish(large)), settled(delivery.publish(large))];
    expect(link.sent.length).toBe(1);
    link.sent[0]?.taken();
    expect(link.sent.length).toBe(2);
    link.sent[1]?.taken();
    expect(await Promise.all(outcomes)).toEqual(['delivered', 'delivered']);
  });
});
