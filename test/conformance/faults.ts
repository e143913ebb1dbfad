import type { Strings } from '../fixtures/protocol.js';
import type { Variant } from '../fixtures/loader.js';

export const behaviours = [
  'sleeps',
  'fails',
  'gives no handle',
  'late',
  'twice',
  'never',
  'from another thread',
  'inside the call',
  'after destroy',
] as const;
export type Behaviour = (typeof behaviours)[number];

export const entryPoints = ['Exec', 'ExecAsync', 'Create', 'Write', 'Read', 'Destroy', 'callback'] as const;
export type EntryPoint = (typeof entryPoints)[number];

export const events = [
  'none',
  'abort',
  'cancel',
  'disconnect',
  'waitTime',
  'deadline',
  'TTL',
  'drain',
  'shutdown',
] as const;
export type Event = (typeof events)[number];

type Engine = Variant['engine'];

/** One way for an engine to misbehave, and what it leads to. In parameters `$file` is the gate that holds it. */
interface Scenario {
  readonly engine: Engine;
  readonly shape: 'once' | 'stream';
  readonly behaviour: Behaviour;
  readonly at: EntryPoint;
  readonly params: Strings;
  /** Whether the gate has to be opened for it to go on. */
  readonly held: boolean;
  /** Packets that the client of a stream writes; the last one is final. */
  readonly packets: number;
  /** The call that shows that it has come so far. */
  readonly reached: string;
  /** What the client gets if nothing happens: a text or a code; null for nothing, ever. */
  readonly outcome: string | number | null;
  /** The calls of the engine then, in any order. */
  readonly calls: readonly string[];
  /** The calls when the event is the end of the request. */
  readonly cut: readonly string[];
  readonly events: readonly Event[];
}

/** A cell of the matrix. */
export interface Fault extends Omit<Scenario, 'events'> {
  readonly name: string;
  readonly event: Event;
  /** What the client sees, in order; more than one where two clocks race. */
  readonly seen: readonly (readonly Seen[])[];
  /** The calls of the engine when all is over. */
  readonly expected: readonly string[];
}

/** The code of an answer without a result, the text of a result, or "rpc" and the status of a call without answer. */
export type Seen = string | number;

const always: readonly Event[] = ['none', 'abort', 'cancel', 'disconnect', 'waitTime', 'deadline', 'drain', 'shutdown'];
const withTtl: readonly Event[] = [...always, 'TTL'];
/** What can happen to a stream that has failed while nobody asked. */
const unasked: readonly Event[] = ['none', 'abort', 'TTL'];

const failure = { held: false, packets: 1 } as const;
const sleep = { held: true, packets: 1, behaviour: 'sleeps' } as const;

const blocking: readonly Omit<Scenario, 'engine'>[] = [
  {
    ...sleep,
    shape: 'once',
    at: 'Exec',
    params: { do: 'waitFile', file: '$file', text: 'x' },
    reached: 'exec',
    outcome: 'x',
    calls: ['exec', 'execFree'],
    cut: ['exec', 'execFree'],
    events: always,
  },
  {
    ...failure,
    shape: 'once',
    behaviour: 'fails',
    at: 'Exec',
    params: { do: 'refuse', code: '7' },
    reached: 'exec',
    outcome: 10909,
    calls: ['exec'],
    cut: ['exec'],
    events: ['none'],
  },
  ...streamScenarios(['create', 'write', 'read', 'destroy'], ['create', 'write', 'destroy']),
  {
    ...sleep,
    shape: 'stream',
    at: 'Read',
    params: { read: 'waitFile', file: '$file' },
    reached: 'read',
    outcome: 'x',
    calls: ['create', 'write', 'read', 'destroy'],
    cut: ['create', 'write', 'read', 'destroy'],
    events: withTtl,
  },
  {
    ...failure,
    shape: 'stream',
    behaviour: 'fails',
    at: 'Read',
    params: { read: 'fail', code: '7' },
    reached: 'destroy',
    outcome: 10908,
    calls: ['create', 'write', 'read', 'destroy'],
    cut: ['create', 'write', 'read', 'destroy'],
    events: unasked,
  },
];

const delivered = ['create', 'write', 'callback=0', 'destroy'];
const refused = ['create', 'write', 'callback=-1', 'destroy'];

const asynchronous: readonly Omit<Scenario, 'engine'>[] = [
  {
    ...sleep,
    shape: 'once',
    at: 'ExecAsync',
    params: { do: 'waitFile', file: '$file', text: 'x' },
    reached: 'execAsync',
    outcome: 'x',
    calls: ['execAsync', 'callback=0'],
    cut: ['execAsync', 'callback=-1'],
    events: always,
  },
  {
    ...failure,
    shape: 'once',
    behaviour: 'fails',
    at: 'ExecAsync',
    params: { do: 'refuse', code: '7' },
    reached: 'execAsync',
    outcome: 10909,
    calls: ['execAsync'],
    cut: ['execAsync'],
    events: ['none'],
  },
  ...streamScenarios(delivered, refused),
  ...callbackScenarios('once'),
  ...callbackScenarios('stream'),
];

/** What goes wrong in functions that both kinds of engine have. */
function streamScenarios(calls: readonly string[], cutInWrite: readonly string[]): readonly Omit<Scenario, 'engine'>[] {
  const stream = { shape: 'stream' } as const;
  return [
    {
      ...stream,
      ...sleep,
      at: 'Create',
      params: { create: 'waitFile', file: '$file' },
      reached: 'create',
      outcome: 'x',
      calls,
      cut: ['create', 'destroy'],
      events: withTtl,
    },
    {
      ...stream,
      ...failure,
      behaviour: 'fails',
      at: 'Create',
      params: { create: 'fail', code: '7' },
      packets: 0,
      reached: 'create',
      outcome: 10905,
      calls: ['create'],
      cut: ['create'],
      events: unasked,
    },
    {
      ...stream,
      ...failure,
      behaviour: 'gives no handle',
      at: 'Create',
      params: { create: 'null' },
      packets: 0,
      reached: 'create',
      outcome: 10905,
      calls: ['create'],
      cut: ['create'],
      events: unasked,
    },
    {
      ...stream,
      ...sleep,
      at: 'Write',
      params: { write: 'waitFile', file: '$file' },
      reached: 'write',
      outcome: 'x',
      calls,
      cut: cutInWrite,
      events: withTtl,
    },
    {
      ...stream,
      ...failure,
      behaviour: 'fails',
      at: 'Write',
      params: { write: 'fail', code: '7' },
      reached: 'destroy',
      outcome: 10907,
      calls: ['create', 'write', 'destroy'],
      cut: ['create', 'write', 'destroy'],
      events: unasked,
    },
    {
      ...stream,
      ...sleep,
      at: 'Destroy',
      params: { destroy: 'waitFile', file: '$file' },
      reached: 'destroy',
      outcome: 'x',
      calls,
      cut: calls,
      events: withTtl,
    },
    {
      // Its results are good, whatever it says at the end.
      ...stream,
      ...failure,
      behaviour: 'fails',
      at: 'Destroy',
      params: { destroy: 'fail', code: '7' },
      reached: 'create',
      outcome: 'x',
      calls,
      cut: ['create', 'destroy'],
      events: unasked,
    },
  ];
}

function callbackScenarios(shape: Scenario['shape']): readonly Omit<Scenario, 'engine'>[] {
  const once = shape === 'once';
  const around = (...callbacks: readonly string[]): readonly string[] =>
    once ? ['execAsync', ...callbacks] : ['create', 'write', ...callbacks, 'destroy'];
  const base = { ...failure, shape, at: 'callback', reached: once ? 'execAsync' : 'write' } as const;
  return [
    {
      ...base,
      behaviour: 'fails',
      params: once ? { do: 'fail', code: '7' } : { callbackFail: '7' },
      reached: once ? 'execAsync' : 'destroy',
      outcome: 10910,
      calls: around('callback=0'),
      cut: around('callback=0'),
      events: once ? ['none'] : unasked,
    },
    {
      ...base,
      behaviour: 'late',
      params: { callback: 'lateFile', file: '$file' },
      held: true,
      outcome: 'x',
      calls: around('callback=0'),
      cut: around('callback=-1'),
      events: once ? always : ['none', 'cancel', 'disconnect', 'waitTime', 'deadline', 'drain'],
    },
    {
      ...base,
      behaviour: 'twice',
      params: { callback: 'twice' },
      outcome: 'x',
      calls: around('callback=0', 'callback=-1'),
      cut: [],
      events: ['none'],
    },
    {
      ...base,
      behaviour: 'never',
      params: { callback: 'never' },
      outcome: null,
      calls: around(),
      cut: around(),
      events: once
        ? ['abort', 'cancel', 'disconnect', 'waitTime', 'deadline', 'shutdown']
        : ['abort', 'cancel', 'disconnect', 'waitTime', 'deadline', 'TTL', 'shutdown'],
    },
    {
      ...base,
      behaviour: 'from another thread',
      params: { callback: 'thread' },
      outcome: 'x',
      calls: around('callback=0'),
      cut: [],
      events: ['none'],
    },
    {
      ...base,
      behaviour: 'inside the call',
      params: { callback: 'sync' },
      outcome: 'x',
      calls: around('callback=0'),
      cut: [],
      events: ['none'],
    },
    ...(once ? [] : onlyOfStreams(base)),
  ];
}

/** Callbacks that come when the stream is being destroyed, or has been. */
function onlyOfStreams(
  base: Pick<Scenario, 'shape' | 'held' | 'packets' | 'reached'>,
): readonly Omit<Scenario, 'engine'>[] {
  return [
    {
      ...base,
      at: 'callback',
      behaviour: 'after destroy',
      params: { callback: 'lateFile', file: '$file' },
      held: true,
      outcome: 'x',
      calls: delivered,
      cut: refused,
      events: ['abort', 'TTL', 'shutdown'],
    },
    {
      ...base,
      at: 'Destroy',
      behaviour: 'inside the call',
      params: { destroy: 'final' },
      reached: 'create',
      outcome: 'x',
      calls: [...delivered, 'callback=-1'],
      cut: ['create', 'destroy', 'callback=-1'],
      events: unasked,
    },
  ];
}

/**
 * Why a cell of the matrix does not exist.
 * @returns null when it does
 */
export function excluded(behaviour: Behaviour, at: EntryPoint, event: Event): string | null {
  const ofCallbacks = ['late', 'twice', 'never', 'from another thread', 'inside the call', 'after destroy'];
  if (at === 'callback') {
    if (behaviour === 'sleeps')
      return 'the callback is a function of the loader: an engine that takes its time is late';
  } else if (ofCallbacks.includes(behaviour)) {
    if (behaviour !== 'inside the call') return 'only a callback can be that';
    if (at !== 'Destroy') return 'that is the callback that comes inside the call';
  }
  if (behaviour === 'gives no handle' && at !== 'Create') return 'only wrapperCreate gives a handle';
  const instant = ['fails', 'gives no handle', 'twice', 'from another thread', 'inside the call'].includes(behaviour);
  if (instant && ['cancel', 'disconnect', 'waitTime', 'deadline', 'drain', 'shutdown'].includes(event)) {
    return 'the answer is there at once: no call is left to be ended';
  }
  const once = at === 'Exec' || at === 'ExecAsync';
  if (once && event === 'TTL') return 'a one-shot call ends with its waitTime, it has no TTL';
  if (once && instant && event === 'abort') return 'the call has ended by then';
  if (at === 'callback' && instant && behaviour !== 'fails' && event !== 'none') return 'the stream has ended by then';
  if (behaviour === 'never' && (event === 'none' || event === 'drain')) return 'nothing would end it';
  if (behaviour === 'late' && event === 'TTL') return 'that is the callback after destroy';
  if (behaviour === 'after destroy' && !['abort', 'TTL', 'shutdown'].includes(event)) {
    return 'the stream is not destroyed by that';
  }
  return null;
}

const scenarios: readonly Scenario[] = [
  ...blocking.map((scenario) => ({ engine: 'blocking' as const, ...scenario })),
  ...asynchronous.map((scenario) => ({ engine: 'asynchronous' as const, ...scenario })),
];

export const faults: readonly Fault[] = scenarios.flatMap(({ events: possible, ...scenario }) =>
  possible.map((event) => ({
    ...scenario,
    event,
    name: `${scenario.shape}: ${scenario.at} ${scenario.behaviour}, ${event}`,
    seen: seenBy(scenario, event),
    expected: endsRequest(scenario, event) ? scenario.cut : scenario.calls,
  })),
);

/** Whether the event is the end of the request for the engine too. One lost call is not the end of a stream. */
function endsRequest({ shape, outcome }: Omit<Scenario, 'events'>, event: Event): boolean {
  if (outcome === null) return true;
  if (event === 'none' || event === 'drain') return false;
  return shape === 'once' || event === 'abort' || event === 'TTL' || event === 'shutdown';
}

function seenBy(scenario: Omit<Scenario, 'events'>, event: Event): Fault['seen'] {
  const { shape, outcome, held } = scenario;
  const once = shape === 'once';
  // A stream that will never give anything is aborted by its client in the end.
  const goesOn: Fault['seen'] = once ? [] : [[outcome ?? 10101]];
  switch (event) {
    case 'none':
    case 'drain':
      return [[outcome ?? 'nothing']];
    case 'abort':
      // The answer of AIExcp, and that of the call that waited, if one did.
      return waits(held, outcome) ? [[0], [10101]] : [[0]];
    case 'TTL':
      return [[10008]];
    case 'shutdown':
      return [[10110]];
    case 'cancel':
      return [['rpc 1'], ...goesOn];
    case 'disconnect':
      return [['rpc 14'], ...goesOn];
    case 'waitTime':
      return [[once ? 10102 : 0], ...goesOn];
    case 'deadline':
      // The client's clock and ours: whichever comes first.
      return [['rpc 4', once ? 10102 : 0], ...goesOn];
  }
}

/** Whether a call of the client waits when the event comes. */
export function waits(held: boolean, outcome: Scenario['outcome']): boolean {
  return held || outcome === null;
}
