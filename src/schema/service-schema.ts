import type { Descriptor } from '../core/descriptor.js';
import { answerSchema, anyAnswerSchema, anyRequestSchema, type JsonSchema, requestSchema } from './json-schema.js';

/** What a service takes and gives. */
export interface ServiceSchema {
  /** null: nobody has said. */
  readonly descriptor: Descriptor | null;
  /** The name that parameters stand under in a request. */
  readonly parameterKey: string;
  readonly request: JsonSchema;
  readonly answer: JsonSchema;
}

/** @param service the public name of the service */
export function describeService(descriptor: Descriptor | null, service: string): ServiceSchema {
  return descriptor === null
    ? { descriptor, parameterKey: service, request: anyRequestSchema, answer: anyAnswerSchema }
    : {
        descriptor,
        parameterKey: service,
        request: requestSchema(descriptor, service),
        answer: answerSchema(descriptor),
      };
}

const attributeTypes = ['string', 'number', 'integer', 'boolean'] as const;

/** What an attribute of an output is in JSON; null where nobody has said. */
export function attributeType(
  { answer }: ServiceSchema,
  output: string,
  attribute: string,
): (typeof attributeTypes)[number] | null {
  let schema: unknown = answer;
  for (const name of ['payload', output, attribute]) schema = memberOf(memberOf(schema, 'properties'), name);
  const type = memberOf(schema, 'type');
  return attributeTypes.find((known) => known === type) ?? null;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/**
 * What a plugin that may change takes and gives now: the same object for as long as it says the same.
 * @param descriptor what it says of itself now; null where it has no words for that
 */
export function followDescriptor(service: string, descriptor: () => Descriptor | null): () => ServiceSchema {
  let latest = describeService(descriptor(), service);
  return () => {
    const current = descriptor();
    if (current !== latest.descriptor) latest = describeService(current, service);
    return latest;
  };
}
