import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectServing, useLoader, variants } from '../fixtures/loader.js';
import { encodeInput, encodeRequest, type InputShape } from '../fixtures/protocol.js';
import { callXsf, onceInput, onceRequest, type XsfAnswer } from '../fixtures/xsf-client.js';

/** One request of a sequence: what it does, and to which of a few handles. */
interface Operation {
  readonly op: 'AIIn' | 'AIOut' | 'AIExcp' | 'ping' | 'nonsense';
  readonly handle: number;
  readonly create: boolean;
  readonly once: boolean;
  readonly number: number;
  readonly last: boolean;
  readonly engine: Readonly<Record<string, string>>;
  readonly damaged: boolean;
}

const permits = 3;
const handles = 6;

const operation: fc.Arbitrary<Operation> = fc.record({
  op: fc.constantFrom('AIIn', 'AIIn', 'AIIn', 'AIOut', 'AIOut', 'AIExcp', 'ping', 'nonsense'),
  handle: fc.nat(handles - 1),
  create: fc.boolean(),
  once: fc.boolean(),
  number: fc.integer({ min: -1, max: 6 }),
  last: fc.boolean(),
  engine: fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { create: 'fail', code: '5' },
    { write: 'fail', code: '6' },
    { outKey: 'other' },
  ),
  damaged: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
});

/** What is known of a handle from the answers so far. */
type State = 'never' | 'live' | 'ended';

/**
 * What a session may answer beside success, once something went wrong in it: 10105 when the engine still owes the
 * callback of an earlier session of this handle, and this one turned out not to be possible.
 */
const failures = [10905, 10106, 10907, 10105];

describe.each(variants)('any sequence of operations on $name', (variant) => {
  const loader = useLoader(variant, { permits });
  let run = 0;

  it('is answered as the protocol says, and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 60 }), async (operations) => {
        run++;
        const states = new Map<string, State>();
        const names = Array.from({ length: handles }, (_, n) => `run-${run}-${n}`);
        try {
          for (const one of operations) {
            const handle = names[one.handle] ?? '';
            const state = states.get(handle) ?? 'never';
            const live = [...states.values()].filter((other) => other === 'live').length;
            const answer = await send(handle, one);
            expect(allowed(one, state, live), describeCall(one, state, live)).toContain(answer.output?.code ?? 'none');
            states.set(handle, next(one, state, answer));
          }
        } finally {
          // The next sequence needs every licence; also one that looks for the smallest that fails.
          for (const handle of names) await send(handle, { ...calm, op: 'AIExcp' });
        }
      }),
      { numRuns: 150 },
    );
  }, 300_000);

  const calm: Operation = {
    op: 'AIOut',
    handle: 0,
    create: false,
    once: false,
    number: 0,
    last: false,
    engine: {},
    damaged: false,
  };

  function send(handle: string, { op, create, once, number, last, engine, damaged }: Operation): Promise<XsfAnswer> {
    const text = { name: 'input', attribute: { status: last ? '2' : '1' } };
    const input: InputShape = onceInput({
      state: once ? 1 : 0,
      sync_id: number,
      params: { do: 'echo', ...engine },
      pl: [{ meta: text, data: Buffer.from('x') }],
    });
    return callXsf(loader().client, {
      op,
      s: { h: handle },
      // Only who asks for what will not come is to be answered soon; nothing else may depend on the clock.
      param: {
        waitTime: op === 'AIOut' ? '30' : '20000',
        ...(create ? { SeqNo: '1' } : {}),
      },
      data: [{ data: damaged ? Buffer.from([0x0f]) : encodeInput(input) }],
    });
  }
});

/** The codes that may come back. */
function allowed({ op, create, once, damaged }: Operation, state: State, live: number): (number | 'none')[] {
  if (op === 'ping') return ['none'];
  if (damaged) return [10401];
  if (op === 'nonsense') return [10003];
  if (!create) return state === 'live' ? [0, ...failures] : [state === 'ended' ? 10101 : 10008];
  if (state === 'live') return [10110];
  // A session may have failed without anyone having asked: its licence is free then.
  const full = live >= permits ? [10110] : [];
  // The engine may still owe the callback of a session that was aborted.
  if (state === 'ended') full.push(10105);
  // Only AIIn brings the payload of a one-shot call, which waits for it until the time is up. One that names another
  // output fails; one that ends as it begins does not come so far.
  if (once) return op === 'AIIn' ? [0, 10106, ...full] : [op === 'AIOut' ? 10102 : 0, ...full];
  return [0, ...failures, ...full];
}

/** What the answer says about the handle. */
function next({ op, create, once, damaged }: Operation, state: State, { output }: XsfAnswer): State {
  if (op === 'ping' || op === 'nonsense' || damaged || output === null) return state;
  if (!create && state !== 'live') return state;
  // 10105 refuses a new session; one that has begun fails with it, when it learns late that the engine still owes a callback.
  if (output.code === 10110 || (create && output.code === 10105)) return state;
  if (create && once) return 'ended';
  if (op === 'AIExcp' || output.code !== 0 || output.status === 2 || output.status === 3) return 'ended';
  return 'live';
}

function describeCall(one: Operation, state: State, live: number): string {
  return `${JSON.stringify(one)} on a handle that is ${state}, with ${live} live`;
}

/** One change to the bytes of a request. */
interface Edit {
  readonly kind: 'set' | 'insert' | 'remove' | 'cut' | 'repeat';
  /** Where, as a part of the length. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('set', 'insert', 'remove', 'cut', 'repeat'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 4 }),
    // Lengths and numbers that end where nothing is, or never.
    fc.constantFrom(new Uint8Array(10).fill(0xff), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f), Uint8Array.of(0)),
  ),
});

function edited(message: Buffer, { kind, at, bytes }: Edit): Buffer {
  const offset = Math.floor(at * message.length);
  const before = message.subarray(0, offset);
  switch (kind) {
    case 'set':
      return Buffer.concat([before, bytes, message.subarray(offset + bytes.length)]);
    case 'insert':
      return Buffer.concat([before, bytes, message.subarray(offset)]);
    case 'remove':
      return Buffer.concat([before, message.subarray(offset + bytes.length)]);
    case 'cut':
      return before;
    case 'repeat':
      return Buffer.concat([message, message.subarray(offset)]);
  }
}

interface Damaged {
  readonly op: string;
  readonly once: boolean;
  readonly create: boolean;
  readonly inside: readonly Edit[];
  readonly outside: readonly Edit[];
}

const damaged: fc.Arbitrary<Damaged> = fc.record({
  op: fc.constantFrom('AIIn', 'AIIn', 'AIIn', 'AIOut', 'AIExcp', 'AILBType', 'AILoad', 'ping'),
  once: fc.boolean(),
  create: fc.boolean(),
  inside: fc.array(edit, { maxLength: 3 }),
  outside: fc.array(edit, { maxLength: 2 }),
});

/** A request that was a good one before it was damaged, inside or outside or both. */
function bytesOf({ op, once, create, inside, outside }: Damaged): Buffer {
  const input = inside.reduce(edited, encodeInput(onceInput({ state: once ? 1 : 0, sync_id: 1 })));
  const param = { waitTime: '20', authzNo: '2', timeout: '1', ...(create ? { SeqNo: '1' } : {}) };
  return outside.reduce(edited, encodeRequest(onceRequest(input, { op, s: { h: 'damaged' }, param })));
}

describe.each(variants)('any bytes to $name', (variant) => {
  // Damage makes streams that nobody goes on with, and calls that wait for a payload.
  const loader = useLoader(variant, { permits, streams: { ttlMs: 50, rollMs: 10 } });
  const refusals: readonly number[] = [status.INTERNAL, status.DEADLINE_EXCEEDED];

  /** Every byte string is answered, or refused by gRPC; 10002 would be a fault of ours. */
  async function isAnswered(bytes: Buffer): Promise<void> {
    const answer = await callXsf(loader().client, bytes, { deadlineMs: 2000 });
    if (answer.response !== null) {
      expect(answer.response.s.sess).toEqual({ PeerAddr: `127.0.0.1:${loader().port}` });
      expect(answer.output?.code).not.toBe(10002);
    } else expect(refusals).toContain(answer.status);
  }

  it('that were a request before is answered or refused, and a good request is served after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(damaged, { minLength: 1, maxLength: 20 }), async (requests) => {
        for (const request of requests) await isAnswered(bytesOf(request));
        await expectServing(loader());
      }),
      { numRuns: 50 },
    );
  });

  it('at all is answered or refused, and a good request is served after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 20 }), async (list) => {
        for (const bytes of list) await isAnswered(Buffer.from(bytes));
        await expectServing(loader());
      }),
      { numRuns: 25 },
    );
  });
});
