import { AsyncLocalStorage } from 'node:async_hooks';

/** What a wrapper can say about the call that it is working on. */
export interface CallContext {
  meter(key: string, count: number): void;
  trace(key: string, value: string): void;
}

const key = Symbol.for('aiges-ts.current-call');

/**
 * Which call the running code belongs to: one wrapper works on several at a time. Holds nothing by itself. One for
 * every copy of this package in a thread, like the marks in brand.ts.
 */
export const currentCall = shared();

function shared(): AsyncLocalStorage<CallContext> {
  const known: Record<typeof key, AsyncLocalStorage<CallContext> | undefined> = globalThis as never;
  return (known[key] ??= new AsyncLocalStorage<CallContext>());
}
