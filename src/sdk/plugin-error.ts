import { brands, isMarked, mark } from './brand.js';

/**
 * Thrown by a wrapper to answer a request with a code of its own. Clients see the text and `;code=` with the code,
 * as they know it from C engines.
 */
export class PluginError extends Error {
  override readonly name = 'PluginError';
  /** 32-bit, not 0. */
  readonly code: number;

  /** @param message without it the wrapper's `error(code)` is asked for one */
  constructor(code: number, message = '', options?: ErrorOptions) {
    super(message, options);
    if (!Number.isInteger(code) || code === 0 || code !== (code | 0)) {
      throw new TypeError(`expected a 32-bit integer other than 0 for the code but found ${String(code)}`);
    }
    this.code = code;
  }
}

mark(PluginError.prototype, brands.pluginError);

export function isPluginError(value: unknown): value is PluginError {
  return isMarked(value, brands.pluginError);
}

/** Codes that stand for what a wrapper did not mean to happen. They are those of the Python SDK. */
export const WrapperFault = {
  /** The class could not be loaded, or `init` threw. */
  init: 30001,
  /** A call threw something else than a `PluginError`, or gave something that its declaration does not allow. */
  call: 30003,
} as const;
