import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../core/descriptor.js';
import { nativePluginOf } from './native-plugin.js';
import { type BodyField, isBodyField, isParamField, type ParamField } from './fields.js';
import type { WrapperBase } from './wrapper-base.js';

interface Declared<D> {
  /** Name of the property that declares it, by which wrappers know it. */
  readonly property: string;
  readonly descriptor: D;
}

/** What a wrapper declares, ready to check calls against. */
export interface Declaration {
  readonly descriptor: Descriptor;
  readonly params: readonly Declared<ParamDescriptor>[];
  readonly inputs: readonly Declared<BodyDescriptor>[];
  readonly outputs: readonly Declared<BodyDescriptor>[];
  readonly once: boolean;
  readonly stream: boolean;
  /** Streams are written as `create`, `write` and `destroy`. */
  readonly threeCalls: boolean;
  readonly resources: boolean;
}

/**
 * Reads and checks what a wrapper declares.
 * @throws TypeError that names what is missing or contradicts itself
 */
export function readDeclaration(wrapper: WrapperBase): Declaration {
  const requestFields = fieldsOf(wrapper.requestCls, 'requestCls');
  const responseFields = fieldsOf(wrapper.responseCls, 'responseCls');
  const params = requestFields.flatMap(([property, field]) =>
    isParamField(field) ? [{ property, descriptor: field.describe(property) }] : [],
  );
  const inputs = requestFields.flatMap(([property, field]) =>
    isBodyField(field) ? [{ property, descriptor: field.describe(property) }] : [],
  );
  const outputs = responseFields.map(([property, field]) => {
    if (isParamField(field)) {
      throw new TypeError(`responseCls.${property} is a parameter; answers hold body fields only`);
    }
    return { property, descriptor: field.describe(property) };
  });
  refuseTwice(params, 'parameter');
  refuseTwice(inputs, 'input');
  refuseTwice(outputs, 'output');
  return {
    descriptor: {
      service: wrapper.serviceId,
      version: wrapper.version,
      params: params.map(({ descriptor }) => descriptor),
      inputs: inputs.map(({ descriptor }) => descriptor),
      outputs: outputs.map(({ descriptor }) => descriptor),
    },
    params,
    inputs,
    outputs,
    ...readMethods(wrapper),
  };
}

function readMethods(wrapper: WrapperBase): Pick<Declaration, 'once' | 'stream' | 'threeCalls' | 'resources'> {
  const has = (name: keyof WrapperBase): boolean => typeof wrapper[name] === 'function';
  const together = (names: readonly (keyof WrapperBase)[]): boolean => {
    const missing = names.filter((name) => !has(name));
    if (missing.length === 0 || missing.length === names.length) return missing.length === 0;
    const found = names.filter(has);
    throw new TypeError(`the wrapper has ${found.join(' and ')} but lacks ${missing.join(' and ')}: they go together`);
  };
  const calls = together(['create', 'write', 'destroy']);
  const once = has('onceExec');
  const stream = has('stream') || calls;
  if (has('stream') && calls && nativePluginOf(wrapper)?.forwards().stream !== true) {
    throw new TypeError('the wrapper has both stream and create, write, destroy: one of the two forms is enough');
  }
  if (!once && !stream) {
    throw new TypeError('the wrapper lacks onceExec: write it, or stream, or create, write and destroy');
  }
  return { once, stream, threeCalls: calls, resources: together(['loadResource', 'unloadResource']) };
}

function fieldsOf(declared: unknown, name: string): (readonly [string, ParamField | BodyField])[] {
  if (typeof declared === 'function') {
    throw new TypeError(`expected an instance for ${name} but found a class; write new ${declared.name}()`);
  }
  if (typeof declared !== 'object' || declared === null) {
    throw new TypeError(`expected an object of fields for ${name} but found ${String(declared)}`);
  }
  return Object.entries(declared).map(([property, field]: [string, unknown]) => {
    if (isParamField(field) || isBodyField(field)) return [property, field];
    throw new TypeError(`expected a field for ${name}.${property}, such as new StringParamField()`);
  });
}

function refuseTwice(declared: readonly Declared<{ readonly name: string }>[], what: string): void {
  const seen = new Map<string, string>();
  for (const { property, descriptor } of declared) {
    const before = seen.get(descriptor.name);
    if (before !== undefined) {
      throw new TypeError(`${before} and ${property} both declare the ${what} ${JSON.stringify(descriptor.name)}`);
    }
    seen.set(descriptor.name, property);
  }
}
