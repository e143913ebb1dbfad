import { isObject, type Json, type JsonObject } from './json.js';

export const dataTypes = ['text', 'audio', 'image', 'video', 'other'] as const;
export type DataTypeName = (typeof dataTypes)[number];

export type ParamValue = string | number | boolean;

export interface Param {
  readonly name: string;
  readonly type: 'string' | 'number' | 'integer' | 'boolean';
  readonly required: boolean;
  readonly title: string;
  readonly description: string;
  /** What a request without it gets; null for nothing. */
  readonly fallback: ParamValue | null;
  /** The only values that are taken; empty for any. */
  readonly enums: readonly (string | number)[];
  readonly minLength: number | null;
  readonly maxLength: number | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
}

/** One named input or output. */
export interface Body {
  readonly name: string;
  readonly type: DataTypeName;
  readonly content: 'bytes' | 'text' | 'json';
  readonly required: boolean;
  readonly title: string;
  readonly description: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** A service as the loader describes it. */
export interface ServiceInfo {
  readonly name: string;
  readonly version: string;
  readonly route: string;
  readonly once: boolean;
  readonly stream: boolean;
  /** False when the loader knows nothing about its parameters, inputs and outputs. */
  readonly described: boolean;
  readonly params: readonly Param[];
  readonly inputs: readonly Body[];
  readonly outputs: readonly Body[];
}

/** The services of an OpenAPI document of the loader, in its order. What is not as it should be is left out. */
export function readCatalogue(document: unknown): ServiceInfo[] {
  const paths = isObject(document) ? document['paths'] : null;
  if (!isObject(paths)) throw new TypeError('the answer has no "paths": it is no OpenAPI document');
  return Object.entries(paths).flatMap(([route, item]) => {
    const extension = isObject(item) ? item['x-aiges'] : null;
    return isObject(extension) ? [readService(route, extension)] : [];
  });
}

function readService(route: string, info: JsonObject): ServiceInfo {
  const bodies = (key: string): Body[] => objects(info[key]).map(readBody);
  return {
    name: text(info['service'], route),
    version: text(info['version']),
    route,
    once: info['once'] !== false,
    stream: info['stream'] === true,
    described: info['described'] !== false,
    params: objects(info['params']).map(readParam),
    inputs: bodies('inputs'),
    outputs: bodies('outputs'),
  };
}

function readParam(param: JsonObject): Param {
  const { fallback, enums } = param;
  return {
    name: text(param['name']),
    type: oneOf(param['type'], ['string', 'number', 'integer', 'boolean'] as const, 'string'),
    required: param['required'] === true,
    title: text(param['title']),
    description: text(param['description']),
    fallback: isScalar(fallback) ? fallback : null,
    enums: Array.isArray(enums) ? enums.filter((value) => typeof value === 'string' || typeof value === 'number') : [],
    minLength: numberOrNull(param['minLength']),
    maxLength: numberOrNull(param['maxLength']),
    minimum: numberOrNull(param['minimum']),
    maximum: numberOrNull(param['maximum']),
  };
}

function readBody(body: JsonObject): Body {
  const type = oneOf(body['type'], dataTypes, 'other');
  const attributes = isObject(body['attributes']) ? Object.entries(body['attributes']) : [];
  return {
    name: text(body['name']),
    type,
    content: oneOf(body['content'], ['bytes', 'text', 'json'] as const, type === 'text' ? 'text' : 'bytes'),
    required: body['required'] === true,
    title: text(body['title']),
    description: text(body['description']),
    attributes: new Map(attributes.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
  };
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : [];
}

function text(value: Json | undefined, fallback = ''): string {
  return typeof value === 'string' ? value : fallback;
}

function numberOrNull(value: Json | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function isScalar(value: Json | undefined): value is ParamValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function oneOf<const T extends string>(value: Json | undefined, names: readonly T[], fallback: T): T {
  return names.find((name) => name === value) ?? fallback;
}
