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
