// A wrapper may have been written against another copy of this package than the one that runs it: its own
// node_modules, or the sources. `instanceof` tells such copies apart; these marks do not.

export const brands = {
  wrapper: Symbol.for('aiges-ts.wrapper'),
  nativePlugin: Symbol.for('aiges-ts.native-plugin'),
  param: Symbol.for('aiges-ts.param'),
  body: Symbol.for('aiges-ts.body'),
  pluginError: Symbol.for('aiges-ts.plugin-error'),
  response: Symbol.for('aiges-ts.response'),
  responseData: Symbol.for('aiges-ts.response-data'),
} as const;

/** Marks the instances of a class. */
export function mark(prototype: object, brand: symbol): void {
  Object.defineProperty(prototype, brand, { value: true });
}

export function isMarked(value: unknown, brand: symbol): boolean {
  return typeof value === 'object' && value !== null && brand in value;
}
