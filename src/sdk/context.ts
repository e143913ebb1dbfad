import { AsyncLocalStorage } from 'node:async_hooks';

/** What a wrapper can say about the call that it is working on. */
export interface CallContext {
  meter(key: string, count: number): void;
  trace(key: string, value: string): void;
}

/** Which call the running code belongs to: one wrapper works on several at a time. Holds nothing by itself. */
export const currentCall = new AsyncLocalStorage<CallContext>();
