import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';

import type { Call } from '../../../../src/core/call.js';
import type { Frame } from '../../../../src/core/frame.js';
import { DataStatus, DataType, emptyMap } from '../../../../src/core/frame.js';
import type { Output, PluginRuntime } from '../../../../src/core/runtime.js';
import type { NativeOptions } from '../../../../src/runtimes/native/index.js';
import { counters, createNativeRuntime } from '../../../../src/runtimes/native/index.js';

export const noConfig = emptyMap;

/** A fixture engine; test/fixtures/engines says what each of them does. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../../../build-tests/plain/fixtures/${name}.so`, import.meta.url));
}

let calls = 0;

export function call(params: Record<string, string | number> = {}, overrides: Partial<Call> = {}): Call {
  calls += 1;
  return {
    sid: 'sid',
    tag: `call-${calls}`,
    params: new Map(Object.entries(params).map(([key, value]) => [key, String(value)])),
    resourceIds: [],
    expect: null,
    signal: new AbortController().signal,
    deadline: Infinity,
    ...overrides,
  };
}

export function frame(data: Uint8Array | string = 'hello', overrides: Partial<Frame> = {}): Frame {
  return {
    key: 'in',
    data: typeof data === 'string' ? Buffer.from(data) : data,
    type: DataType.text,
    status: DataStatus.once,
    desc: emptyMap,
    ...overrides,
  };
}

/** Bytes of a pattern, in an ArrayBuffer of their own, `offset` bytes after its aligned start. */
export function bytes(length: number, offset = 0): Uint8Array {
  const view = new Uint8Array(new ArrayBuffer(length + offset), offset);
  for (let i = 0; i < length; i++) view[i] = i % 251;
  return view;
}

/** The text of the only frame; releases the output. */
export function text(output: Output): string {
  expect(output.frames).toHaveLength(1);
  const result = Buffer.from(output.frames[0]?.data ?? []).toString();
  output.release();
  return result;
}

/** Equality without vitest's byte-by-byte diff, which takes minutes for a mebibyte. */
export function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

export async function ask(runtime: PluginRuntime, params: Record<string, string | number>): Promise<string> {
  return text(await runtime.once(call(params), [frame()]));
}

/** One of the counts of the scripted engine's do=stats. */
export async function stat(runtime: PluginRuntime, name: string): Promise<number> {
  const match = new RegExp(`\\b${name}=(\\d+)`).exec(await ask(runtime, { do: 'stats' }));
  return Number(match?.[1]);
}

const running = new Set<PluginRuntime>();

export async function start(
  options: Partial<NativeOptions> = {},
  config: ReadonlyMap<string, string> = noConfig,
): Promise<PluginRuntime> {
  const runtime = createNativeRuntime({ path: fixture('scripted'), ...options });
  running.add(runtime);
  await runtime.start(config);
  return runtime;
}

/** The counters that return to zero. */
const live = [
  'jobsQueued',
  'jobsRunning',
  'outputsAlive',
  'leasedBytes',
  'pins',
  'sessions',
  'asyncWaiting',
  'tombstones',
  'engines',
  'threads',
] as const;

/** For afterEach: stops what `start` has started, then expects the live counters to return to zero. */
export async function expectNothingAlive(): Promise<void> {
  for (const runtime of running) await runtime.stop().catch(() => undefined);
  running.clear();
  await until(() => {
    const now = counters();
    expect(Object.fromEntries(live.map((name) => [name, now[name]]))).toEqual(
      Object.fromEntries(live.map((name) => [name, 0])),
    );
  });
}

/** Tries again until the expectation holds. */
export async function until(expectation: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(expectation, { timeout: 50_000, interval: 2 });
}
