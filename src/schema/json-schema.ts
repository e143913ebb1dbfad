import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../core/descriptor.js';
import { DataType, dataTypeName } from '../core/frame.js';

/** A JSON Schema, draft 2020-12, as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** An object without one of its members. */
export function without(schema: JsonSchema, key: string): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key));
}

const typeNames = Object.keys(DataType);

/** Text that is JSON may come as what it says. */
const structuredData: JsonSchema = {
  type: ['string', 'object', 'array'],
  contentEncoding: 'base64',
  description: 'base64, or JSON as it is',
  additionalProperties: true,
  items: {},
};

const statusSchema: JsonSchema = {
  type: ['integer', 'string'],
  description: '3 for data that is whole, which it is unless said otherwise',
};

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
 * The body of a request (docs/http.md). An object that does not say `additionalProperties` has no members but those
 * that it lists: what becomes of others is a matter of the configuration.
 * @param service the name that parameters stand under
 */
export function requestSchema({ params, inputs, outputs }: Descriptor, service: string): JsonSchema {
  const wishes = outputs.map((output) => [output.name, wishSchema(output.name)] as const);
  const known = params.map((param) => {
    const schema = paramSchema(param);
    const sameName = wishes.find(([name]) => name === param.name)?.[1];
    return [param.name, sameName === undefined ? schema : eitherOf(schema, sameName)] as const;
  });
  const requiredParams = params.filter(({ required }) => required).map(({ name }) => name);
  const requiredInputs = inputs.filter(({ required }) => required).map(({ name }) => name);
  return object(
    {
      header: headerSchema,
      parameter: object(
        // The later entry of a name wins.
        { [service]: object(Object.fromEntries([...wishes, ...known]), requiredParams) },
        requiredParams.length === 0 ? [] : [service],
      ),
      payload: object(Object.fromEntries(inputs.map((input) => [input.name, inputSchema(input)])), requiredInputs),
    },
    [...(requiredParams.length === 0 ? [] : ['parameter']), ...(requiredInputs.length === 0 ? [] : ['payload'])],
  );
}

const headerSchema: JsonSchema = {
  type: 'object',
  description: 'Strings for the loader; those listed in [aiges].headerPass become parameters.',
  additionalProperties: true,
};

/** The body of a request to a service of which nobody has said what it takes. */
export const anyRequestSchema: JsonSchema = object({
  header: headerSchema,
  parameter: {
    type: 'object',
    description: 'Parameters, in an object by the name of the service. An object in there names an output.',
    additionalProperties: { type: 'object', additionalProperties: true },
  },
  payload: {
    type: 'object',
    description: 'Inputs by name.',
    additionalProperties: {
      ...object({
        ...Object.fromEntries(typeNames.map((name) => [name, { ...structuredData, description: `${name} data` }])),
        status: statusSchema,
      }),
      description: 'Data under the name of its type, attributes next to it.',
      additionalProperties: true,
    },
  },
});

/** The body of an answer of such a service. */
export const anyAnswerSchema: JsonSchema = wrapAnswer({
  type: 'object',
  description: 'Outputs by name: data under the name of its type (text as it is, all else base64), and attributes.',
  additionalProperties: { type: 'object', additionalProperties: { type: 'string' } },
});

/** The body of its answer. */
export function answerSchema({ outputs }: Descriptor): JsonSchema {
  return wrapAnswer({
    ...object(
      Object.fromEntries(outputs.map((output) => [output.name, outputSchema(output)])),
      outputs.filter(({ required }) => required).map(({ name }) => name),
    ),
    additionalProperties: false,
  });
}

function wrapAnswer(payload: JsonSchema): JsonSchema {
  return object(
    {
      header: object(
        {
          code: { type: 'integer', const: 0 },
          sid: { type: 'string', description: 'session id, which the log names too' },
          status: { type: 'integer', description: '3 for a whole answer; 0, 1 and 2 for the parts of a stream' },
        },
        ['code', 'sid', 'status'],
      ),
      payload,
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
  return {
    ...object(
      {
        [typeName(type)]: content === 'bytes' ? { type: 'string', contentEncoding: 'base64' } : structuredData,
        ...Object.fromEntries(
          Object.entries(attributes).map(([name, value]) => [
            name,
            { type: 'string', description: `${JSON.stringify(value)} where a request does not say` },
          ]),
        ),
        status: statusSchema,
      },
      [typeName(type)],
    ),
    ...texts(title, description),
    additionalProperties: true,
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
export function wishSchema(name: string): JsonSchema {
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

/** A parameter or the wish for an output, which have the same name. */
export function eitherOf(param: JsonSchema, wish: JsonSchema): JsonSchema {
  const { default: fallback } = param;
  return { anyOf: [without(param, 'default'), wish], ...(fallback === undefined ? {} : { default: fallback }) };
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
