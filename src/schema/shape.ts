import { parseDecimal } from '../core/decimal.js';
import { isObject } from '../core/json.js';
import type { JsonSchema } from './json-schema.js';

/** What is to be done to a value before rules are about it. Made once for a schema. */
export interface Shape {
  readonly members: ReadonlyMap<string, Shape>;
  /** Whether members that are not listed are fine. */
  readonly open: boolean;
  /** What a missing value becomes; undefined for nothing. */
  readonly fallback: unknown;
  /** What text is read as, for a value that need not be text. */
  readonly reads: 'number' | 'integer' | 'boolean' | null;
  /** What it may only be read for, and only if the text is not there itself: for a value that may be text, too. */
  readonly choices: readonly unknown[] | null;
}

const alternatives = ['allOf', 'anyOf', 'oneOf'] as const;
const branches = ['if', 'then', 'else'] as const;

/** @param schema its objects have no members but those that they list, unless they say `additionalProperties` */
export function shapeOf(schema: JsonSchema): Shape {
  const parts = partsOf(schema);
  const lists = parts.flatMap(({ properties }) => (isSchema(properties) ? [properties] : []));
  const names = new Set(lists.flatMap((list) => Object.keys(list)));
  const members = [...names].map((name) => {
    const schemas = lists.flatMap((list) => (Object.hasOwn(list, name) && isSchema(list[name]) ? [list[name]] : []));
    return [name, shapeOf(schemas.length === 1 && schemas[0] !== undefined ? schemas[0] : { allOf: schemas })] as const;
  });
  const reading = readingOf(parts);
  const { default: fallback } = schema;
  return {
    members: new Map(members),
    open:
      lists.length === 0 ||
      parts.some(
        ({ additionalProperties, patternProperties }) =>
          patternProperties !== undefined || (additionalProperties !== undefined && additionalProperties !== false),
      ),
    fallback: typeof fallback === 'string' ? readText(fallback, reading) : fallback,
    ...reading,
  };
}

/** A schema and all that it is put together from. */
function partsOf(schema: JsonSchema): JsonSchema[] {
  const inner = [
    ...alternatives.flatMap((key) => (Array.isArray(schema[key]) ? (schema[key] as unknown[]) : [])),
    ...branches.map((key) => schema[key]),
  ];
  return [schema, ...inner.filter(isSchema).flatMap(partsOf)];
}

type Reading = Pick<Shape, 'reads' | 'choices'>;

function readingOf(parts: readonly JsonSchema[]): Reading {
  const types = parts.flatMap(({ type }) => type ?? []);
  const reads = (['number', 'integer', 'boolean'] as const).find((type) => types.includes(type)) ?? null;
  if (!types.includes('string')) return { reads, choices: null };
  const choices = parts.flatMap((part) => (Array.isArray(part['enum']) ? (part['enum'] as unknown[]) : []));
  return choices.length === 0 ? { reads: null, choices: null } : { reads, choices };
}

export interface SettleOptions {
  /** Told about every member that is not listed. */
  readonly onUnknown: (path: readonly string[]) => void;
  /** Told about every text that is read as something else, and how to have the text again. */
  readonly onRead?: (restore: () => void) => void;
}

/**
 * Brings a value into the shape: what is missing is filled in, and text is read as the number or the boolean that is
 * asked for, because plugins get text anyhow, and forms and command lines have nothing else.
 * @returns what stands for the value from now on; objects are changed in place
 */
export function settle(value: unknown, shape: Shape, options: SettleOptions, path: readonly string[] = []): unknown {
  if (typeof value === 'string') return readText(value, shape);
  if (!isObject(value) || (shape.open && shape.members.size === 0)) return value;
  const { onUnknown, onRead } = options;
  for (const [key, member] of Object.entries(value)) {
    const known = shape.members.get(key);
    if (known === undefined) {
      if (!shape.open) onUnknown([...path, key]);
      continue;
    }
    const settled = settle(member, known, options, [...path, key]);
    if (settled === member) continue;
    put(value, key, settled);
    onRead?.(() => {
      put(value, key, member);
    });
  }
  for (const [key, { fallback }] of shape.members) {
    if (fallback !== undefined && !Object.hasOwn(value, key)) put(value, key, structuredClone(fallback));
  }
  return value;
}

function readText(text: string, { reads, choices }: Reading): string | number | boolean {
  if (choices === null) return readAs(text, reads);
  const read = readAs(text, reads);
  return choices.includes(read) && !choices.includes(text) ? read : text;
}

/** Text that says it exactly. */
function readAs(text: string, as: Shape['reads']): string | number | boolean {
  if (as === null) return text;
  if (as === 'boolean') {
    if (/^(true|1)$/i.test(text)) return true;
    return /^(false|0)$/i.test(text) ? false : text;
  }
  const number = parseDecimal(text);
  return number !== null && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : text;
}

function isSchema(value: unknown): value is JsonSchema {
  return isObject(value);
}

/** A plain assignment would miss its aim for a member that is called `__proto__`. */
function put(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true });
}
