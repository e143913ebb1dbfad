/** A signal of our own below someone else's. */
export interface Scope {
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  /** Frees the timer and the listener. */
  close(): void;
}

/** `AbortSignal.any` would leave something behind on a long-lived parent for every call. */
export function openScope(parent: AbortSignal): Scope {
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(parent.reason);
  };
  if (parent.aborted) onAbort();
  else parent.addEventListener('abort', onAbort);
  return {
    signal: controller.signal,
    abort: (reason) => {
      controller.abort(reason);
    },
    close: () => {
      parent.removeEventListener('abort', onAbort);
    },
  };
}
