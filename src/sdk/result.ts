import { inspect } from 'node:util';
import type { BodyDescriptor } from '../core/descriptor.js';
import { DataStatus, DataType, type Frame } from '../core/frame.js';
import type { Declaration } from './declaration.js';
import { checkThere } from './handover.js';
import { PluginError } from './plugin-error.js';
import { isResponse, isResponseData, type Response, ResponseData } from './response.js';

/**
 * What a wrapper gave, as frames.
 * @param status for outputs that do not say theirs
 * @param complete whether every required output has to be there
 * @throws PluginError when the answer says so itself
 * @throws TypeError when it is not what the wrapper declares
 */
export function readResult(declaration: Declaration, result: unknown, status: number, complete: boolean): Frame[] {
  if (isResponse(result)) return readResponse(declaration, result, status, complete);
  if (typeof result !== 'object' || result === null) {
    throw new TypeError(`expected an object of outputs but the wrapper gave ${describe(result)}`);
  }
  const values = new Map<string, unknown>(Object.entries(result));
  const frames: Frame[] = [];
  for (const { property, descriptor } of declaration.outputs) {
    const value = values.get(property);
    values.delete(property);
    if (value !== undefined) frames.push(readOutput(descriptor, property, value, status));
    else if (complete && descriptor.required) throw missing(property);
  }
  const [unknown] = values.keys();
  if (unknown !== undefined) throw notDeclared(declaration, unknown);
  return frames;
}

function readResponse(declaration: Declaration, response: Response, status: number, complete: boolean): Frame[] {
  if (response.error_code !== 0) throw new PluginError(response.error_code);
  const frames = response.list.map((data) => {
    const output = declaration.outputs.find(({ descriptor }) => descriptor.name === data.key);
    if (output === undefined) throw notDeclared(declaration, data.key);
    return readOutput(output.descriptor, data.key, data, status);
  });
  const absent = declaration.outputs.find(
    ({ descriptor }) => descriptor.required && !frames.some(({ key }) => key === descriptor.name),
  );
  if (complete && absent !== undefined) throw missing(absent.descriptor.name);
  return frames;
}

function readOutput(descriptor: BodyDescriptor, property: string, value: unknown, status: number): Frame {
  const data = isResponseData(value) ? value : new ResponseData({ data: toBytes(descriptor, property, value) });
  checkFields(property, data);
  return {
    key: descriptor.name,
    data: typeof data.data === 'string' ? Buffer.from(data.data) : data.data,
    type: data.type ?? descriptor.type,
    status: data.status ?? status,
    desc: new Map(Object.entries({ ...descriptor.attributes, ...data.desc })),
  };
}

/** The types say so, but not to plain JavaScript. */
function checkFields(property: string, given: ResponseData): void {
  const { data, type, status }: { readonly [K in keyof ResponseData]: unknown } = given;
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
    throw new TypeError(`output ${property}: expected a string or a Uint8Array for data but found ${describe(data)}`);
  }
  if (typeof data !== 'string') checkThere(property, data);
  if (!isNoneOr(type, DataType)) {
    throw new TypeError(`output ${property}: expected a DataType, 0 to 4, for type but found ${inspect(type)}`);
  }
  if (!isNoneOr(status, DataStatus)) {
    throw new TypeError(`output ${property}: expected a DataStatus, 0 to 3, for status but found ${inspect(status)}`);
  }
}

function isNoneOr(value: unknown, known: Readonly<Record<string, number>>): boolean {
  return value === null || value === undefined || Object.values<unknown>(known).includes(value);
}

function toBytes({ content }: BodyDescriptor, property: string, value: unknown): Uint8Array | string {
  if (content === 'json') {
    // The types do not say so, but there are values without a JSON form.
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`output ${property}: ${describe(value)} has no JSON form`);
    return text;
  }
  if (value instanceof Uint8Array) return value;
  if (content === 'text' && typeof value === 'string') return value;
  const expected = content === 'text' ? 'a string or a Uint8Array' : 'a Uint8Array';
  throw new TypeError(`output ${property}: expected ${expected} but the wrapper gave ${describe(value)}`);
}

function missing(property: string): TypeError {
  return new TypeError(`output ${property} is declared but the wrapper gave none`);
}

function notDeclared({ outputs }: Declaration, name: string): TypeError {
  const known = outputs.map(({ property }) => property).join(', ') || 'none';
  return new TypeError(
    `the wrapper gave an output ${JSON.stringify(name)} that it does not declare; it declares ${known}`,
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'object' ? `an object (${Object.prototype.toString.call(value)})` : `a ${typeof value}`;
}
