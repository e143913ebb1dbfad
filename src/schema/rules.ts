import type { DataValidationCxt } from 'ajv/dist/types/index.js';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { DataType } from '../core/frame.js';
import type { JsonSchema } from './json-schema.js';

/** Rules of legacy documents that JSON Schema has no words for; each holds for strings and counts bytes. */
export const byteRules = {
  maxBytes: 'x-maxBytes',
  minBytes: 'x-minBytes',
  maxDecoded: 'x-maxDecodedBytes',
  minDecoded: 'x-minDecodedBytes',
} as const;

/** Sizes in bytes of data that is not in the document, by the input that it belongs to. The `this` of compiled rules. */
export type DataSizes = ReadonlyMap<unknown, number | null>;

/**
 * Compiles a schema into a function that checks values against it.
 * @throws Error when the schema is none; the message says where in it and why
 */
export function compileRules(schema: JsonSchema): ValidateFunction {
  const ajv = new Ajv2020({
    // Schemas come from people, too: what is no rule is no fault here.
    strict: false,
    // 1e999 is Infinity to a reader of JSON, and no number to anyone else.
    strictNumbers: true,
    logger: false,
    validateFormats: false,
    // `faultOfSchema` is for schemas that people wrote.
    meta: false,
    validateSchema: false,
    // Names such as "constructor" are only names.
    ownProperties: true,
    // Errors show what was found.
    verbose: true,
    // Rules see the sizes of data that is not in the document.
    passContext: true,
    allErrors: isBounded(schema),
  });
  for (const [keyword, holds] of Object.entries(byteRuleTests)) {
    ajv.addKeyword({
      keyword,
      type: 'string',
      schemaType: 'number',
      errors: false,
      validate(this: DataSizes, limit: number, text: string, _schema?: unknown, at?: DataValidationCxt) {
        // The sizes are those of the data, not of what else is said about an input.
        const isData = at !== undefined && Object.hasOwn(DataType, at.parentDataProperty);
        return holds(text, limit, isData ? (this.get(at.parentData) ?? null) : null);
      },
    });
  }
  return ajv.compile(schema);
}

/** What a schema that does not compile is said to be at fault for; null when it compiles. */
export function faultOfSchema(
  schema: JsonSchema,
): { readonly keys: readonly string[]; readonly reason: string } | null {
  const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false });
  if (ajv.validateSchema(schema) !== true) {
    const [first] = ajv.errors ?? [];
    return { keys: keysOf(first?.instancePath ?? ''), reason: first?.message ?? 'is no schema' };
  }
  try {
    compileRules(schema);
    return null;
  } catch (error) {
    return { keys: [], reason: (error as Error).message };
  }
}

/** The names in a JSON pointer. */
export function keysOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export type { ErrorObject, ValidateFunction };

/** Whether a text keeps to a limit; `apart` is the size of the data that it stands for, where it does not hold it. */
const byteRuleTests: Readonly<Record<string, (text: string, limit: number, apart: number | null) => boolean>> = {
  [byteRules.maxBytes]: (text, limit, apart) =>
    apart === null ? text.length <= limit / 3 || Buffer.byteLength(text) <= limit : base64Length(apart) <= limit,
  [byteRules.minBytes]: (text, limit, apart) =>
    apart === null ? text.length >= limit || Buffer.byteLength(text) >= limit : base64Length(apart) >= limit,
  [byteRules.maxDecoded]: (text, limit, apart) => (apart ?? decodedLength(text)) <= limit,
  [byteRules.minDecoded]: (text, limit, apart) => (apart ?? decodedLength(text)) >= limit,
};

function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** Without a look at each letter. */
function decodedLength(text: string): number {
  return Buffer.byteLength(text, 'base64');
}

const perMember = [
  'items',
  'prefixItems',
  'additionalProperties',
  'patternProperties',
  'propertyNames',
  'contains',
  'unevaluatedProperties',
  'unevaluatedItems',
] as const;

/** Whether the number of errors does not grow with the value: else all of them would be too many. */
function isBounded(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return true;
  const grows = perMember.some((key) => {
    const rule = (schema as JsonSchema)[key];
    // `false` forbids each member by itself.
    return rule === false || (typeof rule === 'object' && rule !== null && Object.keys(rule).length > 0);
  });
  return !grows && Object.values(schema).every(isBounded);
}
