import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../core/descriptor.js';
import { DataType, dataTypeName } from '../core/frame.js';
import type { JsonSchema } from './json-schema.js';

/**
 * The schema document of the Python SDK, which tools of its platform read: the same keys in the same order, and the
 * same fixed fragments, whatever the fields say.
 * @param service the service's name where the wrapper gives none
 * @throws TypeError when there is nothing to describe; the Python SDK refused that too
 */
export function legacySchema({ params, inputs, outputs, version, ...rest }: Descriptor, service: string): JsonSchema {
  const serviceId = rest.service === '' ? service : rest.service;
  if (inputs.length === 0) throw new TypeError('the legacy form needs at least one input (a body field in requestCls)');
  if (outputs.length === 0) {
    throw new TypeError('the legacy form needs at least one output (a body field in responseCls)');
  }
  const required = params.filter((param) => param.required).map(({ name }) => name);
  return {
    meta: {
      serviceId,
      version,
      route: `/${version}/private/${serviceId}`,
      sub: 'ase',
      call: 'atmos',
      call_type: 0,
      hosts: 'api.xf-yun.com',
      service: [serviceId],
      routeKey: [],
      [serviceId]: { input: dataTypes(inputs), accept: dataTypes(outputs) },
    },
    schemainput: object({
      header: { ...object(Object.fromEntries(headers.map((name) => [name, headerText]))), required: ['appid'] },
      parameter: object({
        [serviceId]: {
          ...object(Object.fromEntries(params.map((param) => [param.name, paramFragment(param)]))),
          ...(required.length === 0 ? {} : { required }),
        },
      }),
      payload: payload(inputs),
    }),
    schemaoutput: object({ payload: payload(outputs) }),
  };
}

const headers = [
  'appid',
  'uid',
  'device_id',
  'device.imei',
  'device.imsi',
  'device.mac',
  'device.other',
  'net.type',
  'net.isp',
  'app.ver',
];
const headerText = { type: 'string', maxLength: 50 };

const integers = (...values: number[]): JsonSchema => ({ type: 'integer', enum: values });
const strings = (...values: string[]): JsonSchema => ({ type: 'string', enum: values });
const anyStatus = integers(0, 1, 2, 3);

const text = object({
  encoding: strings('utf8', 'gb2312'),
  compress: strings('gzip'),
  status: anyStatus,
  seq: { type: 'integer' },
  text: { type: 'string' },
});
const fragments: Readonly<Record<number, JsonSchema>> = {
  [DataType.text]: text,
  [DataType.audio]: object({
    encoding: strings('opus', 'speex'),
    sample_rate: integers(8000, 16000),
    bit_depth: integers(8, 16),
    channels: integers(1, 2),
    status: anyStatus,
    seq: { type: 'integer' },
    audio: { type: 'string' },
  }),
  [DataType.image]: object({
    encoding: strings('jpg', 'png', 'bmp', 'jpeg'),
    image: { type: 'string', minLength: 1, maxLength: 10_485_760 },
    status: integers(3),
  }),
  // The Python SDK had no field for it.
  [DataType.video]: object({ status: anyStatus, seq: { type: 'integer' }, video: { type: 'string' } }),
};

function paramFragment({ type, enums, maxLength, maximum, fallback }: ParamDescriptor): JsonSchema {
  if (type === 'boolean') return { type, default: fallback === true };
  if (enums.length > 0) return { type, enum: enums };
  if (type === 'string') return { type, ...(maxLength === null ? {} : { maxLength }) };
  return { type, ...(maximum === null ? {} : { maximum }) };
}

function payload(bodies: readonly BodyDescriptor[]): JsonSchema {
  return object(Object.fromEntries(bodies.map(({ name, type }) => [name, fragments[type] ?? text])));
}

function dataTypes(bodies: readonly BodyDescriptor[]): JsonSchema {
  return Object.fromEntries(
    bodies.map(({ name, type }) => {
      const dataType = dataTypeName(type) ?? 'text';
      return [name, { dataType }];
    }),
  );
}

function object(properties: JsonSchema): JsonSchema {
  return { type: 'object', properties };
}
