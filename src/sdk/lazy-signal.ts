import { type Signal, toAbortSignal } from '../core/signal.js';

const source = Symbol('signal');

interface Lazy {
  readonly [source]: Signal;
}

/** One for all: a getter of its own would give every object a shape of its own. */
const property: PropertyDescriptor & ThisType<Lazy> = {
  configurable: true,
  enumerable: true,
  get() {
    return toAbortSignal(this[source]);
  },
  // For who replaces it, as any other property can be.
  set(value: unknown) {
    Object.defineProperty(this, 'signal', { configurable: true, enumerable: true, writable: true, value });
  },
};

/** Adds `signal`. Making an `AbortSignal` costs more than a small request; most wrappers never look at it. */
export function withSignal<T extends object>(view: T, signal: Signal): T & { readonly signal: AbortSignal } {
  const lazy: T & Lazy = Object.assign(view, { [source]: signal });
  return Object.defineProperty(lazy, 'signal', property) as T & Lazy & { readonly signal: AbortSignal };
}
