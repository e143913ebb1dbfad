import type { BodyDescriptor } from '../core/descriptor.js';
import { DataType, dataTypeName } from '../core/frame.js';
import { errorSchema, type JsonSchema, paramSchema } from './json-schema.js';
import type { ServiceSchema } from './service-schema.js';

/** A service as the loader serves it, at one path. */
export interface DescribedService {
  readonly schema: ServiceSchema;
  /** Its public name. */
  readonly name: string;
  readonly version: string;
  readonly route: string;
  /** What kinds of calls it takes. */
  readonly once: boolean;
  readonly stream: boolean;
}

/** Errors by status: those of docs/http.md that a client can do something about. */
const failures: readonly (readonly [status: string, name: string, description: string, retryAfter?: true])[] = [
  ['400', 'BadRequest', 'The request is at fault; the message names the value.'],
  ['404', 'NotFound', 'There is no such path.'],
  ['406', 'NotAcceptable', 'The answer cannot have a form that the header Accept takes.'],
  ['408', 'RequestTimeout', 'The request took too long to arrive.'],
  ['413', 'TooLarge', 'The body is too large.'],
  ['415', 'UnsupportedMediaType', 'A body of this type cannot be an input of the service.'],
  ['429', 'Busy', 'Every licence is taken; try again after the seconds in Retry-After.', true],
  ['500', 'Failed', 'The plugin, or the loader, failed.'],
  ['501', 'Unsupported', 'The plugin does not take such calls.'],
  ['503', 'ShuttingDown', 'The loader is shutting down, or has no memory for the request.', true],
  ['504', 'Timeout', 'The plugin took too long.'],
];

const bytes: JsonSchema = { type: 'string', format: 'binary' };

/** An OpenAPI 3.1 document about services, as plain data. */
export function openApiDocument(services: readonly DescribedService[]): JsonSchema {
  const names = nameComponents(services);
  const byName = new Map(services.map((service) => [service.name, service]));
  const schemas = [...byName].flatMap(([name, { schema }]) => [
    [`${names.get(name) ?? name}.Request`, schema.request] as const,
    [`${names.get(name) ?? name}.Answer`, schema.answer] as const,
  ]);
  const seen = new Map<string, number>();
  const paths = services.map((service) => {
    const count = (seen.get(service.name) ?? 0) + 1;
    seen.set(service.name, count);
    const component = names.get(service.name) ?? service.name;
    // One name per operation; a service may have several paths.
    return [service.route, pathItem(service, component, count === 1 ? component : `${component}.${count}`)] as const;
  });
  return {
    openapi: '3.1.0',
    info: {
      title: [...byName.keys()].join(', ') || 'aiges-ts',
      version: services[0]?.version ?? '',
      description: 'What the services of this loader take and give. Streams, and media without base64, are part of it.',
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    // Where the document comes from.
    servers: [{ url: '/' }],
    tags: [...byName.keys()].map((name) => ({ name })),
    paths: Object.fromEntries(paths),
    components: {
      schemas: Object.fromEntries([...schemas, ['Error', errorSchema] as const]),
      responses: Object.fromEntries(
        failures.map(([, name, description, retry]) => [name, failure(description, retry)]),
      ),
    },
  };
}

/** Names of components are letters, digits, ".", "-" and "_"; those of services may hold "~" as well. */
function nameComponents(services: readonly DescribedService[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const { name } of services) {
    if (names.has(name)) continue;
    const plain = name.replaceAll(/[^\w.-]/g, '_');
    let component = plain;
    for (let count = 2; taken.has(component); count++) component = `${plain}_${count}`;
    taken.add(component);
    names.set(name, component);
  }
  return names;
}

function pathItem(service: DescribedService, component: string, operationId: string): JsonSchema {
  const { name, stream } = service;
  return {
    'x-aiges': describe(service),
    ...(stream
      ? {
          get: {
            operationId: `${operationId}.stream`,
            tags: [name],
            summary: `A stream of ${name} over WebSocket`,
            description:
              'A WebSocket handshake. Every frame from the client is a document like the body of POST, with part of the ' +
              'input: the status of a payload is 0 in the first part, 1 in those after it, 2 in the last, and 3 in one ' +
              'that is the whole. Every frame from the server is a document like its answer. With the subprotocol ' +
              '`aiges.binary`, media travel as bytes.',
            responses: {
              '101': { description: 'The stream is open: what follows are WebSocket frames.' },
              ...failureRefs(['400', '404', '429', '503']),
            },
          },
        }
      : {}),
    post: {
      operationId,
      tags: [name],
      summary: `One request to ${name}`,
      ...queryParameters(service),
      requestBody: { required: true, content: requestContent(service, component) },
      responses: {
        '200': {
          description: 'The answer of the plugin.',
          headers: {
            'X-Aiges-Sid': { description: 'Session id, which the log names too.', schema: { type: 'string' } },
            'X-Aiges-Code': { description: '0; events have their own.', schema: { type: 'integer' } },
          },
          content: answerContent(service, component),
        },
        ...failureRefs(failures.map(([status]) => status)),
      },
    },
  };
}

/** For pages that make forms: what the plugin declares, as it declares it. */
function describe({ schema: { descriptor }, name, version, once, stream }: DescribedService): JsonSchema {
  const body = ({
    name: key,
    type,
    content,
    required,
    title,
    description,
    attributes,
  }: BodyDescriptor): JsonSchema => ({
    ...{ name: key, type: typeName(type), content, required, title, description, attributes },
  });
  return {
    service: name,
    version,
    described: descriptor !== null,
    once,
    stream,
    params: descriptor?.params ?? [],
    inputs: descriptor?.inputs.map(body) ?? [],
    outputs: descriptor?.outputs.map(body) ?? [],
  };
}

/** A body that is no document leaves no other place for parameters. */
function queryParameters({ schema: { descriptor } }: DescribedService): JsonSchema {
  if (descriptor?.inputs.length !== 1 || descriptor.params.length === 0) return {};
  return {
    parameters: descriptor.params.map((param) => ({
      name: param.name,
      in: 'query',
      required: false,
      description: `${param.description === '' ? '' : `${param.description}. `}For a form, or a body that is the input itself.`,
      schema: paramSchema(param),
    })),
  };
}

function requestContent({ schema: { descriptor } }: DescribedService, component: string): JsonSchema {
  const [input, ...others] = descriptor?.inputs ?? [];
  return {
    ...json(`${component}.Request`),
    'multipart/form-data': { schema: formSchema(descriptor, component) },
    ...(input === undefined || others.length > 0
      ? {}
      : Object.fromEntries(mediaTypes(input).map((type) => [type, { schema: bytes }]))),
  };
}

/** The document, inputs as files, and parameters as text, each a field of its own. */
function formSchema(descriptor: ServiceSchema['descriptor'], component: string): JsonSchema {
  const inputs = descriptor?.inputs ?? [];
  const params = descriptor?.params ?? [];
  const required = inputs.filter((input) => input.required).map(({ name }) => name);
  return {
    type: 'object',
    // They may be in the document as well, but who has that has no need of a form.
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries<JsonSchema>([
      ...params.map((param) => [param.name, paramSchema(param)] as const),
      ...inputs.map(({ name, title, description }) => {
        const texts = [title, description].filter((text) => text !== '').join(': ');
        return [name, { ...bytes, ...(texts === '' ? {} : { description: texts }) }] as const;
      }),
      [
        'request',
        {
          type: 'string',
          contentMediaType: 'application/json',
          contentSchema: { $ref: `#/components/schemas/${component}.Request` },
          description: 'the JSON document, for what has no field of its own',
        },
      ],
    ]),
    additionalProperties: descriptor === null,
  };
}

function answerContent({ schema: { descriptor }, once, stream }: DescribedService, component: string): JsonSchema {
  const [output, ...others] = descriptor?.outputs ?? [];
  const streamed = stream ? 'Every result as it comes' : 'The answer as the only event';
  return {
    ...(once ? json(`${component}.Answer`) : {}),
    ...(!once || output === undefined || others.length > 0
      ? {}
      : Object.fromEntries(mediaTypes(output).map((type) => [type, { schema: bytes }]))),
    'text/event-stream': {
      schema: {
        type: 'string',
        description:
          `${streamed}: \`event: result\` whose \`data\` is a document as in ${component}.Answer; ` +
          'a failure is `event: error` whose `data` is a document as in Error.',
      },
    },
  };
}

/** What one input or output may be sent as. */
function mediaTypes({ type }: BodyDescriptor): readonly string[] {
  const own = {
    [DataType.text]: ['text/plain'],
    [DataType.audio]: ['audio/*'],
    [DataType.image]: ['image/*'],
    [DataType.video]: ['video/*'],
  }[type];
  return [...(own ?? []), 'application/octet-stream'];
}

function typeName(type: number): string {
  return dataTypeName(type) ?? 'other';
}

function failureRefs(statuses: readonly string[]): JsonSchema {
  return Object.fromEntries(
    failures
      .filter(([status]) => statuses.includes(status))
      .map(([status, name]) => [status, { $ref: `#/components/responses/${name}` }]),
  );
}

function failure(description: string, retryAfter = false): JsonSchema {
  return {
    description,
    ...(retryAfter
      ? { headers: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } } }
      : {}),
    content: json('Error'),
  };
}

function json(component: string): JsonSchema {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${component}` } } };
}
