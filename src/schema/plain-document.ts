import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../core/descriptor.js';
import { DataType, type DataTypeName } from '../core/frame.js';
import { describeJson } from '../core/json.js';
import { describeFaults } from './faults.js';
import { paramSchema } from './json-schema.js';
import type { Members } from './members.js';
import { compileRules } from './rules.js';

const typeNames = Object.keys(DataType) as DataTypeName[];

/** Words of JSON Schema, and ours for the same. */
const paramHints = { default: '"fallback"', enum: '"enums"', const: '"enums" with one value' };

/** Reads a document that is a `Descriptor` as JSON. What is wrong with it goes to the reader's `onFault`. */
export function readPlainDocument(root: Members): Descriptor {
  const descriptor = {
    service: root.text('service', ''),
    version: root.text('version', ''),
    params: unique(root.objects('params'), readParam),
    inputs: unique(root.objects('inputs'), readBody),
    outputs: unique(root.objects('outputs'), readBody),
  };
  root.value('$schema');
  root.end();
  return descriptor;
}

function readParam(members: Members): ParamDescriptor {
  const type = members.choice('type', ['string', 'number', 'integer', 'boolean'], 'string');
  const param: ParamDescriptor = {
    name: members.name('name'),
    type,
    required: members.flag('required', false),
    title: members.text('title', ''),
    description: members.text('description', ''),
    fallback: members.scalar('fallback'),
    enums: readEnums(members, type),
    minLength: members.count('minLength'),
    maxLength: members.count('maxLength'),
    minimum: members.number('minimum'),
    maximum: members.number('maximum'),
  };
  members.end(paramHints);
  refuseForeign(members, type);
  if (param.minLength !== null && param.maxLength !== null && param.minLength > param.maxLength) {
    members.fault('minLength', `${param.minLength} is more than maxLength, ${param.maxLength}`);
  }
  if (param.minimum !== null && param.maximum !== null && param.minimum > param.maximum) {
    members.fault('minimum', `${param.minimum} is more than maximum, ${param.maximum}`);
  }
  if (param.required && param.fallback !== null) {
    members.fault('fallback', 'has no effect on a required parameter; leave out one of the two');
  }
  if (param.fallback !== null) {
    const validate = compileRules({ properties: { fallback: paramSchema(param) } });
    if (!validate({ fallback: param.fallback })) members.fault('fallback', describeFaults(validate.errors ?? []));
  }
  return param;
}

function readEnums(members: Members, type: ParamDescriptor['type']): readonly (string | number)[] {
  return members.list('enums', 'a list of values').filter((value): value is string | number => {
    const fits = type !== 'boolean' && typeof value === (type === 'string' ? 'string' : 'number');
    if (!fits) members.fault('enums', `expected values of type ${type} but found ${describeJson(value)}`);
    return fits;
  });
}

/** A limit on what a value cannot have would never bite. */
function refuseForeign(members: Members, type: ParamDescriptor['type']): void {
  const foreign = {
    string: ['minimum', 'maximum'],
    number: ['minLength', 'maxLength'],
    integer: ['minLength', 'maxLength'],
    boolean: ['minimum', 'maximum', 'minLength', 'maxLength'],
  }[type];
  for (const name of foreign) {
    if (members.has(name)) members.fault(name, `is not for a parameter of type ${JSON.stringify(type)}`);
  }
}

function readBody(members: Members): BodyDescriptor {
  const type = members.choice('type', typeNames, null);
  if (!members.has('type')) members.fault('type', `is missing; expected one of ${typeNames.join(', ')}`);
  const body: BodyDescriptor = {
    name: members.name('name'),
    type: DataType[type ?? 'other'],
    content: members.choice('content', ['bytes', 'text', 'json'], type === 'text' ? 'text' : 'bytes'),
    required: members.flag('required', true),
    title: members.text('title', ''),
    description: members.text('description', ''),
    attributes: readAttributes(members.object('attributes'), type),
    sample: { path: null, bytes: null },
  };
  members.end();
  if (body.content !== 'bytes' && type !== 'text' && type !== 'other' && type !== null) {
    members.fault('content', `${type} data is "bytes"`);
  }
  return body;
}

/** Names of data, and the status, are no attributes in a request. */
function readAttributes(members: Members, type: DataTypeName | null): Readonly<Record<string, string>> {
  const entries = members.entries().map(([name]) => {
    if (Object.hasOwn(DataType, name) || name === 'status') {
      members.fault(name, `cannot be an attribute${name === type ? ': the data itself goes by that name' : ''}`);
    }
    return [name, members.text(name, '')] as const;
  });
  return Object.fromEntries(entries);
}

function unique<T extends { readonly name: string }>(members: readonly Members[], read: (each: Members) => T): T[] {
  const seen = new Set<string>();
  return members.map((each) => {
    const body = read(each);
    if (body.name !== '' && seen.has(body.name)) each.fault('name', `${JSON.stringify(body.name)} stands here twice`);
    seen.add(body.name);
    return body;
  });
}
