import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../../../../src/core/descriptor.js';
import { DataStatus, DataType, emptyMap, type Frame } from '../../../../src/core/frame.js';

export function param(name: string, changes: Partial<ParamDescriptor> = {}): ParamDescriptor {
  return {
    name,
    type: 'string',
    required: false,
    title: '',
    description: '',
    fallback: null,
    enums: [],
    minLength: null,
    maxLength: null,
    minimum: null,
    maximum: null,
    ...changes,
  };
}

export function body(name: string, changes: Partial<BodyDescriptor> = {}): BodyDescriptor {
  return {
    name,
    type: DataType.text,
    content: 'text',
    required: true,
    title: '',
    description: '',
    attributes: {},
    sample: { path: null, bytes: null },
    ...changes,
  };
}

export function descriptor(changes: Partial<Descriptor> = {}): Descriptor {
  return { service: '', version: 'v1', params: [], inputs: [], outputs: [], ...changes };
}

export function frame(key: string, data: string | Uint8Array, changes: Partial<Frame> = {}): Frame {
  return { key, data: Buffer.from(data), type: DataType.text, status: DataStatus.once, desc: emptyMap, ...changes };
}
