import { parseDecimal } from '../core/decimal.js';
import type { ParamDescriptor } from '../core/descriptor.js';
import { AigesError } from '../core/errors.js';
import type { Frame, StringMap } from '../core/frame.js';
import type { Declaration } from './declaration.js';
import { faultOf } from './fields.js';
import type { Input, JsonInput, TextInput } from './types.js';

/**
 * The parameters of a call as their declarations say.
 * @throws AigesError `invalidInput` that names the parameter, what was expected and what was found
 */
export function readParams({ params }: Declaration, given: StringMap): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const { property, descriptor } of params) {
    const text = given.get(descriptor.name);
    if (text !== undefined) values[property] = readParam(descriptor, text);
    else if (descriptor.fallback !== null) values[property] = descriptor.fallback;
    else if (descriptor.required) throw invalid(`parameter ${quote(descriptor.name)} is missing`);
  }
  return values;
}

function readParam(descriptor: ParamDescriptor, text: string): string | number | boolean {
  const refuse = (expected: string): AigesError =>
    invalid(`parameter ${quote(descriptor.name)}: expected ${expected} but found ${quote(text)}`);
  const value = parse(descriptor.type, text);
  if (value === null) throw refuse(expectedOf[descriptor.type]);
  const fault = faultOf(value, descriptor);
  if (fault !== null) throw refuse(fault);
  return value;
}

const expectedOf = { string: 'text', number: 'a number', integer: 'an integer', boolean: 'true or false' } as const;

/** Parameters travel as text. */
function parse(type: ParamDescriptor['type'], text: string): string | number | boolean | null {
  switch (type) {
    case 'string':
      return text;
    case 'boolean':
      return (
        new Map([
          ['true', true],
          ['1', true],
          ['false', false],
          ['0', false],
        ]).get(text.toLowerCase()) ?? null
      );
    case 'number':
    case 'integer':
      return parseDecimal(text);
  }
}

/**
 * The inputs of a call, or of one packet of a stream.
 * @param complete whether every required input has to be there
 * @throws AigesError `invalidInput`
 */
export function readInputs(
  { inputs }: Declaration,
  frames: readonly Frame[],
  complete: boolean,
): Record<string, Input> {
  const values: Record<string, Input> = {};
  for (const { property, descriptor } of inputs) {
    const frame = frames.find(({ key }) => key === descriptor.name);
    if (frame === undefined) {
      if (complete && descriptor.required) throw invalid(`input ${quote(descriptor.name)} is missing`);
      continue;
    }
    values[property] = readInput(frame, descriptor.content);
  }
  return values;
}

function readInput(frame: Frame, content: 'bytes' | 'text' | 'json'): Input {
  if (content === 'bytes') return frame;
  const text = decodeInput(frame);
  if (content === 'text') return text;
  let json: unknown;
  try {
    json = JSON.parse(text.text);
  } catch (error) {
    throw invalid(`input ${quote(frame.key)}: expected JSON: ${(error as Error).message}`);
  }
  return Object.assign(text, { json }) satisfies JsonInput<unknown>;
}

/** A buffer with its bytes as text. */
export function decodeInput(frame: Frame): TextInput {
  return new DecodedText(frame);
}

/** Decodes when somebody asks: large texts often go on as the bytes that they are. */
class DecodedText implements TextInput {
  readonly key: string;
  readonly data: Uint8Array;
  readonly type: number;
  readonly status: number;
  readonly desc: StringMap;
  #text: string | null = null;

  constructor(frame: Frame) {
    this.key = frame.key;
    this.data = frame.data;
    this.type = frame.type;
    this.status = frame.status;
    this.desc = frame.desc;
  }

  get text(): string {
    this.#text ??= Buffer.from(this.data.buffer, this.data.byteOffset, this.data.byteLength).toString('utf8');
    return this.#text;
  }
}

function invalid(what: string): AigesError {
  return new AigesError('invalidInput', { message: `input invalid data: ${what}` });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
