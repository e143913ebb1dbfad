import type { Descriptor } from '../core/descriptor.js';
import { answerSchema, errorSchema, type JsonSchema, requestSchema } from './json-schema.js';

/** A service as the loader serves it. */
export interface DescribedService {
  readonly descriptor: Descriptor;
  /** Its public name. */
  readonly name: string;
  /** Path of the one-shot call. */
  readonly route: string;
  /** Whether it answers one-shot calls; streams have no form over plain HTTP. */
  readonly once: boolean;
}

/** Errors by status: those of docs/http.md that a client can do something about. */
const failures: readonly (readonly [status: string, description: string])[] = [
  ['400', 'The request is at fault; the message names the value.'],
  ['413', 'The body is too large.'],
  ['429', 'Every licence is taken; try again after the seconds in Retry-After.'],
  ['500', 'The plugin, or the loader, failed.'],
  ['503', 'The loader is shutting down.'],
  ['504', 'The plugin took too long.'],
];

/** An OpenAPI 3.1 document about services, as plain data. */
export function openApiDocument(services: readonly DescribedService[]): JsonSchema {
  const [first] = services;
  const schemas = services.flatMap(({ descriptor, name }) => [
    [componentName(name, 'Request'), requestSchema(descriptor, name)] as const,
    [componentName(name, 'Answer'), answerSchema(descriptor)] as const,
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: services.map(({ name }) => name).join(', '),
      version: first?.descriptor.version ?? '',
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    paths: Object.fromEntries(services.filter(({ once }) => once).map((service) => [service.route, pathItem(service)])),
    components: { schemas: Object.fromEntries([...schemas, ['Error', errorSchema] as const]) },
  };
}

function pathItem({ name }: DescribedService): JsonSchema {
  return {
    post: {
      operationId: name,
      summary: `One request to ${name}`,
      requestBody: { required: true, content: json(componentName(name, 'Request')) },
      responses: Object.fromEntries([
        ['200', { description: 'The answer of the plugin.', content: json(componentName(name, 'Answer')) }] as const,
        ...failures.map(([status, description]) => [status, { description, content: json('Error') }] as const),
      ]),
    },
  };
}

function json(component: string): JsonSchema {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${component}` } } };
}

/** Names of components are letters, digits, ".", "-" and "_"; those of services may hold "~" as well. */
function componentName(service: string, what: string): string {
  return `${service.replaceAll(/[^\w.-]/g, '_')}.${what}`;
}
