import { describeJson, isObject } from '../core/json.js';
import type { JsonSchema } from './json-schema.js';
import type { OnFault } from './members.js';
import { describeFaults } from './faults.js';
import { byteRules, compileRules } from './rules.js';
import { shapeOf } from './shape.js';

/** Told about a keyword that has no effect here. */
type OnUnmapped = (keyword: string, keys: readonly string[]) => void;

type Convert = (value: unknown, keys: readonly string[]) => unknown;

/** Keywords that mean the same in JSON Schema. */
const same = new Set([
  ...['title', 'description', 'default', 'examples', 'required', 'enum', 'const', 'multipleOf'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  ...['minItems', 'maxItems', 'minProperties', 'maxProperties'],
]);

/** Said by people and tools, and no rule. */
const silent = new Set(['$schema', '$id', '$comment', 'id', 'comment']);

const types: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'].map((type) => [type, type]),
  ),
  bool: 'boolean',
};

/**
 * Turns the rules of a legacy document into JSON Schema.
 * @param keys where the rules stand in the document
 */
export function convertRules(
  rules: unknown,
  keys: readonly string[],
  onFault: OnFault,
  onUnmapped: OnUnmapped,
): JsonSchema {
  const convert = (value: unknown, at: readonly string[]): JsonSchema => convertRules(value, at, onFault, onUnmapped);
  const refuse = (at: readonly string[], expected: string, found: unknown): void => {
    onFault(at, `expected ${expected} but found ${describeJson(found)}`);
  };
  const each: Convert = (value, at) => {
    if (Array.isArray(value)) return value.map((member, index) => convert(member, [...at, String(index)]));
    refuse(at, 'a list of rules', value);
    return [];
  };
  const byName: Convert = (value, at) => {
    if (isObject(value)) {
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, convert(member, [...at, name])]));
    }
    refuse(at, 'an object', value);
    return {};
  };
  const count: Convert = (value, at) => {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value;
    refuse(at, 'an integer from 0 up', value);
    return 0;
  };

  if (!isObject(rules)) {
    refuse(keys, 'an object', rules);
    return {};
  }
  const schema: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(rules)) {
    const at = [...keys, keyword];
    if (silent.has(keyword)) continue;
    if (same.has(keyword)) schema[keyword] = value;
    else
      switch (keyword) {
        case 'type':
          schema['type'] = convertType(value, at, refuse);
          break;
        case 'properties':
          schema['properties'] = byName(value, at);
          break;
        case 'allOf':
        case 'anyOf':
        case 'oneOf':
          schema[keyword] = each(value, at);
          break;
        case 'not':
        case 'if':
        case 'then':
        case 'else':
          schema[keyword] = convert(value, at);
          break;
        case 'items':
          if (Array.isArray(value)) schema['prefixItems'] = each(value, at);
          else schema['items'] = convert(value, at);
          break;
        case 'additionalProperties':
          schema[keyword] = typeof value === 'boolean' ? value : convert(value, at);
          break;
        case 'dependencies':
          schema[keyword] = convertDependencies(value, at);
          break;
        case 'defaultVal':
          schema['default'] = value;
          break;
        case 'constVal':
          // The original put it in whatever the request said.
          schema['const'] = value;
          schema['default'] = value;
          break;
        case 'enums':
          schema['enum'] = value;
          if (!Array.isArray(value)) refuse(at, 'a list of values', value);
          break;
        // Lengths of the original count bytes; no text has more characters than bytes.
        case 'maxLength':
          schema['maxLength'] = count(value, at);
          schema[byteRules.maxBytes] = schema['maxLength'];
          break;
        case 'minLength':
          schema[byteRules.minBytes] = count(value, at);
          break;
        case 'maxB64DLen':
          schema[byteRules.maxDecoded] = count(value, at);
          break;
        case 'minB64DLen':
          schema[byteRules.minDecoded] = count(value, at);
          break;
        case 'pattern':
          schema['pattern'] = convertPattern(value, at);
          break;
        default:
          onUnmapped(keyword, keys);
      }
  }
  const fallback = ['constVal', 'defaultVal', 'default'].find((keyword) => Object.hasOwn(rules, keyword));
  if (fallback !== undefined) checkDefault(schema, [...keys, fallback], onFault);
  return schema;

  function convertDependencies(value: unknown, at: readonly string[]): unknown {
    if (!isObject(value)) return byName(value, at);
    return Object.fromEntries(
      Object.entries(value).map(([name, rule]) => [name, Array.isArray(rule) ? rule : convert(rule, [...at, name])]),
    );
  }

  function convertPattern(value: unknown, at: readonly string[]): unknown {
    try {
      if (typeof value === 'string') {
        new RegExp(value, 'u');
        return value;
      }
      refuse(at, 'a regular expression', value);
    } catch (error) {
      onFault(at, (error as Error).message);
    }
    return '';
  }
}

/** A default that breaks its own rules would have every request refused that leaves the value out. */
function checkDefault(schema: JsonSchema, keys: readonly string[], onFault: OnFault): void {
  const name = keys.at(-1) ?? '';
  try {
    const validate = compileRules({ properties: { [name]: schema } });
    const value = { [name]: shapeOf(schema).fallback };
    if (!validate.call(new Map(), value)) onFault(keys, describeFaults(validate.errors ?? []));
  } catch {
    // The rules themselves are at fault, which is told about all of them.
  }
}

/** `"string|number"` is what a list of both is in JSON Schema. */
function convertType(
  value: unknown,
  at: readonly string[],
  refuse: (at: readonly string[], expected: string, found: unknown) => void,
): unknown {
  const names = typeof value === 'string' ? value.split('|').map((name) => name.trim()) : value;
  if (!Array.isArray(names) || names.length === 0) {
    refuse(at, 'the name of a type', value);
    return 'object';
  }
  const converted = names.map((name: unknown) => {
    const type = typeof name === 'string' && Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined) refuse(at, `one of ${Object.keys(types).join(', ')}`, name);
    return type ?? 'object';
  });
  return converted.length === 1 ? converted[0] : [...new Set(converted)];
}
