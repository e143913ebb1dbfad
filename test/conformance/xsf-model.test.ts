import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { encodeInput, type InputShape } from '../fixtures/protocol.js';
import { callXsf, onceInput, type XsfAnswer } from '../fixtures/xsf-client.js';

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

/** What a session may answer beside success, once something went wrong in it. */
const failures = [10905, 10106, 10907];

describe.each([
  ['a blocking engine', false],
  ['an asynchronous engine', true],
])('any sequence of operations on %s', (_name, asyncMode) => {
  let loader: RunningHost;
  let run = 0;

  beforeAll(async () => {
    loader = await startHost({
      plugin: { path: fixtureEngine('scripted'), asyncMode },
      service: { maxConcurrent: permits },
    });
  });

  afterAll(async () => {
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
    await vi.waitFor(() => {
      expect(counters()).toMatchObject({
        jobsQueued: 0,
        jobsRunning: 0,
        outputsAlive: 0,
        pins: 0,
        sessions: 0,
        asyncWaiting: 0,
        engines: 0,
      });
    });
  });

  it('is answered as the protocol says, and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 60 }), async (operations) => {
        run++;
        const states = new Map<string, State>();
        const names = Array.from({ length: handles }, (_, n) => `run-${run}-${n}`);
        for (const one of operations) {
          const handle = names[one.handle] ?? '';
          const state = states.get(handle) ?? 'never';
          const live = [...states.values()].filter((other) => other === 'live').length;
          const answer = await send(handle, one);
          expect(allowed(one, state, live), describeCall(one, state, live)).toContain(answer.output?.code ?? 'none');
          states.set(handle, next(one, state, answer));
        }
        // The next sequence needs every licence.
        for (const [handle, state] of states) {
          if (state === 'live') await send(handle, { ...calm, op: 'AIExcp' });
        }
      }),
      { numRuns: 150 },
    );
  });

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
      pl: op === 'AIIn' ? [{ meta: text, data: Buffer.from('x') }] : [],
    });
    return callXsf(loader.client, {
      op,
      s: { h: handle },
      // Only who asks for what will not come is to be answered soon; nothing else may depend on the clock.
      param: {
        waitTime: op === 'AIOut' || (once && op !== 'AIIn') ? '30' : '20000',
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
  const full = live === permits ? [10110] : [];
  // The engine may still owe the callback of a session that was aborted.
  if (state === 'ended') full.push(10105);
  // A one-shot call without its payload waits for it until the time is up; one that names another output fails.
  if (once) return op === 'AIIn' ? [0, 10106, ...full] : [10102, ...full];
  return [0, ...failures, ...full];
}

/** What the answer says about the handle. */
function next({ op, create, once, damaged }: Operation, state: State, { output }: XsfAnswer): State {
  if (op === 'ping' || op === 'nonsense' || damaged || output === null) return state;
  if (!create && state !== 'live') return state;
  if (output.code === 10110 || output.code === 10105) return state;
  if (create && once) return 'ended';
  if (op === 'AIExcp' || output.code !== 0 || output.status === 2 || output.status === 3) return 'ended';
  return 'live';
}

function describeCall(one: Operation, state: State, live: number): string {
  return `${JSON.stringify(one)} on a handle that is ${state}, with ${live} live`;
}
