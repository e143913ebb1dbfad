import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../core/descriptor.js';
import { DataType, dataTypeName } from '../core/frame.js';

/** A JSON Schema, draft 2020-12, as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const typeNames = Object.keys(DataType);

/** What a plugin takes as this parameter. */
export function paramSchema(param: ParamDescriptor): JsonSchema {
  const { type, title, description, fallback, enums, minLength, maxLength, minimum, maximum } = param;
  return {
    type,
    ...texts(title, description),
    ...(fallback === null ? {} : { default: fallback }),
    ...(enums.length === 0 ? {} : { enum: enums }),
    // An enumeration says it all; the lengths that strings have by default would only be in the way.
    ...(enums.length > 0 || minLength === null ? {} : { minLength }),
    ...(enums.length > 0 || maxLength === null || type !== 'string' ? {} : { maxLength }),
    ...(minimum === null ? {} : { minimum }),
    ...(maximum === null ? {} : { maximum }),
  };
}

/**
 * The body of a one-shot request over HTTP (docs/http.md).
 * @param service the name that parameters stand under
 */
export function requestSchema({ params, inputs, outputs }: Descriptor, service: string): JsonSchema {
  const wanted = outputs.map((output) => [output.name, wantedSchema(output)] as const);
  const known = params.map((param) => {
    const sameName = wanted.find(([name]) => name === param.name)?.[1];
    const schema = paramSchema(param);
    return [param.name, sameName === undefined ? schema : { anyOf: [schema, sameName] }] as const;
  });
  const requiredParams = params.filter(({ required }) => required).map(({ name }) => name);
  const requiredInputs = inputs.filter(({ required }) => required).map(({ name }) => name);
  return object(
    {
      header: {
        type: 'object',
        description: 'Strings for the loader; those listed in [aiges].headerPass become parameters.',
        additionalProperties: true,
      },
      parameter: object(
        // The later entry of a name wins.
        { [service]: object(Object.fromEntries([...wanted, ...known]), requiredParams) },
        requiredParams.length === 0 ? [] : [service],
      ),
      payload: object(Object.fromEntries(inputs.map((input) => [input.name, inputSchema(input)])), requiredInputs),
    },
    [...(requiredParams.length === 0 ? [] : ['parameter']), ...(requiredInputs.length === 0 ? [] : ['payload'])],
  );
}

/** The body of its answer. */
export function answerSchema({ outputs }: Descriptor): JsonSchema {
  return object(
    {
      header: object(
        {
          code: { type: 'integer', const: 0 },
          sid: { type: 'string', description: 'session id, which the log names too' },
          status: { type: 'integer', description: '3 for a whole answer' },
        },
        ['code', 'sid', 'status'],
      ),
      payload: {
        ...object(
          Object.fromEntries(outputs.map((output) => [output.name, outputSchema(output)])),
          outputs.filter(({ required }) => required).map(({ name }) => name),
        ),
        additionalProperties: false,
      },
    },
    ['header', 'payload'],
  );
}

/** The body of an answer that says what went wrong. */
export const errorSchema: JsonSchema = object(
  {
    header: object(
      {
        code: { type: 'integer', description: 'error code, never 0' },
        message: { type: 'string' },
        sid: { type: 'string' },
      },
      ['code', 'message', 'sid'],
    ),
    payload: { type: 'null' },
  },
  ['header', 'payload'],
);

/** One named input: its data under the name of its type, attributes next to it. */
function inputSchema({ type, content, title, description, attributes }: BodyDescriptor): JsonSchema {
  const base64 = { type: 'string', contentEncoding: 'base64' };
  // Structured data may come as the JSON that it is.
  const data = content === 'json' ? { anyOf: [base64, { type: 'object' }, { type: 'array' }] } : base64;
  return {
    ...object(
      {
        [typeName(type)]: data,
        ...Object.fromEntries(
          Object.entries(attributes).map(([name, value]) => [name, { type: 'string', default: value }]),
        ),
        status: { type: ['integer', 'string'], description: '3 for data that is whole', default: 3 },
      },
      [typeName(type)],
    ),
    ...texts(title, description),
  };
}

/** One named output: text as it is, everything else as base64. */
function outputSchema({ type, content, title, description, attributes }: BodyDescriptor): JsonSchema {
  const data = {
    type: 'string',
    ...(type === DataType.text ? {} : { contentEncoding: 'base64' }),
    ...(content === 'json' ? { contentMediaType: 'application/json' } : {}),
  };
  return {
    ...object(
      {
        [typeName(type)]: data,
        ...Object.fromEntries(Object.keys(attributes).map((name) => [name, { type: 'string' }])),
        seq: { type: 'string' },
        status: { type: 'string' },
      },
      [typeName(type), 'seq', 'status'],
    ),
    ...texts(title, description),
  };
}

/** What a request may say about an output that it wants. */
function wantedSchema({ name }: BodyDescriptor): JsonSchema {
  return {
    ...object({
      encoding: { type: 'string' },
      format: { type: 'string' },
      compress: { type: 'string' },
      data_type: { type: 'string', enum: typeNames },
    }),
    description: `asks for the output ${name}; a request that asks for none gets all`,
  };
}

function typeName(type: number): string {
  return dataTypeName(type) ?? 'other';
}

function object(properties: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []): JsonSchema {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

function texts(title: string, description: string): JsonSchema {
  return { ...(title === '' ? {} : { title }), ...(description === '' ? {} : { description }) };
}
