import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../core/descriptor.js';
import { DataType, type DataTypeName, dataTypeName } from '../core/frame.js';
import { formatPath, isObject } from '../core/json.js';
import { answerSchema, eitherOf, type JsonSchema, wishSchema, without } from './json-schema.js';
import { convertRules } from './legacy-rules.js';
import type { Members, OnFault } from './members.js';
import { byteRules } from './rules.js';
import type { ServiceSchema } from './service-schema.js';

export interface LegacyDocument {
  readonly schema: ServiceSchema;
  /** Paths that the document wants the service to have. */
  readonly routes: readonly string[];
  /** What had an effect in the original and has none here; null when there is nothing to say. */
  readonly warning: string | null;
}

const typeNames = Object.keys(DataType) as DataTypeName[];

/**
 * Reads a `{meta, schemainput, schemaoutput}` document of the original. What is wrong with it goes to `onFault`.
 * @param service the public name of the service, where the document gives none
 */
export function readLegacyDocument(root: Members, service: string, onFault: OnFault): LegacyDocument {
  const unmapped = new Map<string, string>();
  const rules = (name: string): JsonSchema =>
    convertRules(root.value(name) ?? {}, [name], onFault, (keyword, keys) => {
      if (!unmapped.has(keyword)) unmapped.set(keyword, formatPath(keys));
    });
  const input = rules('schemainput');
  const output = rules('schemaoutput');
  const meta = root.object('meta');
  const services = readNames(meta, 'service');
  const name = services[0] ?? meta.text('serviceId', service);
  const names = services.length === 0 ? [name] : services;

  const sections = new Sections(input);
  const inputs = readBodies(names, meta, 'input', sections.payload);
  const outputs = readBodies(names, meta, 'accept', section(output, 'payload'));
  const descriptor: Descriptor = {
    service: meta.text('serviceId', name),
    version: meta.text('version', ''),
    params: names.flatMap((each) => readParams(section(sections.parameter, each), outputs)),
    inputs,
    outputs,
  };
  const request = sections.complete(names, inputs, outputs);
  const listed = [...unmapped].map(([keyword, where]) => `${keyword} (${where})`);
  return {
    schema: { descriptor, parameterKey: name, request, answer: answerSchema(descriptor) },
    routes: readNames(meta, 'route'),
    warning: listed.length === 0 ? null : `has rules that have no effect here: ${listed.join(', ')}`,
  };
}

/** One name, or several. */
function readNames(meta: Members, member: string): readonly string[] {
  const value = meta.value(member);
  if (value === undefined || value === '') return [];
  const names = Array.isArray(value) ? (value as unknown[]) : [value];
  return names.filter((name): name is string => {
    const fits = typeof name === 'string' && name !== '';
    if (!fits) meta.fault(member, 'expected text or a list of texts');
    return fits;
  });
}

/** The parts of a converted `schemainput`. */
class Sections {
  readonly #input: JsonSchema;
  readonly #header: JsonSchema;
  readonly parameter: JsonSchema;
  readonly payload: JsonSchema;

  constructor(input: JsonSchema) {
    this.#input = input;
    // The gateway of the platform filled in what its headers needed.
    this.#header = without(section(input, 'header'), 'required');
    this.parameter = section(input, 'parameter');
    this.payload = section(input, 'payload');
  }

  /** With what requests may say besides: the data of every input, and the outputs that they want. */
  complete(
    names: readonly string[],
    inputs: readonly BodyDescriptor[],
    outputs: readonly BodyDescriptor[],
  ): JsonSchema {
    const params = names.map((name) => [name, withWishes(section(this.parameter, name), outputs)] as const);
    const payloads = inputs.map((input) => [input.name, withData(section(this.payload, input.name), input)] as const);
    return {
      type: 'object',
      ...this.#input,
      properties: {
        ...propertiesOf(this.#input),
        header: { type: 'object', additionalProperties: true, ...this.#header },
        parameter: extend(this.parameter, params),
        payload: extend(this.payload, payloads),
      },
    };
  }
}

function readBodies(
  names: readonly string[],
  meta: Members,
  side: 'input' | 'accept',
  payload: JsonSchema,
): readonly BodyDescriptor[] {
  const declared = new Map<string, DataTypeName | null>();
  for (const name of names) {
    if (!meta.has(name)) continue;
    const bodies = meta.object(name).object(side);
    for (const [body] of bodies.entries()) {
      declared.set(body, bodies.object(body).choice('dataType', typeNames, null));
    }
  }
  const properties = propertiesOf(payload);
  for (const body of Object.keys(properties)) if (!declared.has(body)) declared.set(body, null);
  const required = Array.isArray(payload['required']) ? (payload['required'] as unknown[]) : [];
  return [...declared].map(([name, type]) => {
    const rules = section(payload, name);
    const members = propertiesOf(rules);
    const found = typeNames.find((each) => Object.hasOwn(members, each));
    if (type !== null && found !== undefined && type !== found) {
      meta.fault(names[0] ?? '', `says that ${name} is ${type}, but its rules are about ${found}`);
    }
    const dataType = DataType[type ?? found ?? 'text'];
    return {
      name,
      type: dataType,
      content: dataType === DataType.text ? 'text' : 'bytes',
      required: required.includes(name),
      title: textOf(rules, 'title'),
      description: textOf(rules, 'description'),
      attributes: readAttributes(members),
      sample: { path: null, bytes: null },
    };
  });
}

/** Those that the rules leave no choice about, or fill in. */
function readAttributes(members: Readonly<Record<string, JsonSchema>>): Readonly<Record<string, string>> {
  const entries = Object.entries(members).flatMap(([name, { default: fallback, const: only, enum: choices }]) => {
    if (name === 'status' || name === 'seq' || Object.hasOwn(DataType, name)) return [];
    const value =
      fallback ?? only ?? (Array.isArray(choices) && choices.length === 1 ? (choices as unknown[])[0] : null);
    return typeof value === 'string' || typeof value === 'number' ? [[name, String(value)] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** Members of `parameter.<service>` that are values; those that are objects ask for outputs. */
function readParams(rules: JsonSchema, outputs: readonly BodyDescriptor[]): readonly ParamDescriptor[] {
  const required = Array.isArray(rules['required']) ? (rules['required'] as unknown[]) : [];
  return Object.entries(propertiesOf(rules)).flatMap(([name, param]) => {
    const type = paramType(param);
    if (type === null || (outputs.some((output) => output.name === name) && param['type'] === undefined)) return [];
    const { default: fallback, enum: choices } = param;
    const number = (key: string): number | null => (typeof param[key] === 'number' ? param[key] : null);
    return [
      {
        name,
        type,
        required: required.includes(name),
        title: textOf(param, 'title'),
        description: textOf(param, 'description'),
        fallback: isScalar(fallback) ? fallback : null,
        enums: (Array.isArray(choices) ? (choices as unknown[]) : []).filter(
          (choice): choice is string | number => typeof choice === 'string' || typeof choice === 'number',
        ),
        // As many bytes may be a single character.
        minLength: number(byteRules.minBytes) === null ? null : Math.min(1, number(byteRules.minBytes) ?? 0),
        maxLength: number('maxLength'),
        minimum: number('minimum'),
        maximum: number('maximum'),
      },
    ];
  });
}

function paramType(rules: JsonSchema): ParamDescriptor['type'] | null {
  const types = [rules['type'] ?? (rules['properties'] === undefined ? 'string' : 'object')].flat();
  return (['string', 'number', 'integer', 'boolean'] as const).find((type) => types.includes(type)) ?? null;
}

function withWishes(rules: JsonSchema, outputs: readonly BodyDescriptor[]): JsonSchema {
  const properties = propertiesOf(rules);
  const wishes = outputs.map(({ name }) => {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const wish = wishSchema(name);
    if (own === undefined) return [name, wish] as const;
    // What the document says about an output itself comes before what all of them may say.
    return [
      name,
      paramType(own) === null ? extend(wish, Object.entries(propertiesOf(own))) : eitherOf(own, wish),
    ] as const;
  });
  return extend(rules, wishes);
}

function withData(rules: JsonSchema, { name, type }: BodyDescriptor): JsonSchema {
  const typeName = dataTypeName(type) ?? name;
  const properties = propertiesOf(rules);
  const own = Object.hasOwn(properties, typeName) ? properties[typeName] : undefined;
  // Characters of base64 are bytes, which are counted faster.
  const data = without(own ?? { type: ['string', 'object', 'array'] }, 'maxLength');
  return extend(rules, [
    [typeName, { contentEncoding: 'base64', ...data }],
    ['status', properties['status'] ?? { type: ['integer', 'string'] }],
  ]);
}

/** Adds members to the rules of an object; they take the place of those of the same names. */
function extend(rules: JsonSchema, members: readonly (readonly [string, JsonSchema])[]): JsonSchema {
  return {
    type: 'object',
    ...rules,
    properties: Object.fromEntries([...Object.entries(propertiesOf(rules)), ...members]),
  };
}

function section(rules: JsonSchema, name: string): JsonSchema {
  const properties = propertiesOf(rules);
  return Object.hasOwn(properties, name) ? (properties[name] ?? {}) : {};
}

function propertiesOf(rules: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const { properties } = rules;
  return isObject(properties) ? (properties as Record<string, JsonSchema>) : {};
}

function textOf(rules: JsonSchema, key: string): string {
  return typeof rules[key] === 'string' ? rules[key] : '';
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
