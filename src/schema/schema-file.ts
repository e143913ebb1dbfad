import { formatFault, Members } from './members.js';
import { readLegacyDocument } from './legacy-document.js';
import { faultOfSchema } from './rules.js';
import { readPlainDocument } from './plain-document.js';
import { describeService, type ServiceSchema } from './service-schema.js';

export interface SchemaFile {
  readonly schema: ServiceSchema;
  /** Paths that the file wants the service to have; only legacy documents name any. */
  readonly routes: readonly string[];
  /** What its author may not have meant, one line each. */
  readonly warnings: readonly string[];
}

/** Says what is wrong with a schema file: one line per fault, each with its place in the document. */
export class SchemaFileError extends Error {
  override readonly name = 'SchemaFileError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

const legacyMembers = ['meta', 'schemainput', 'schemaoutput'];
const plainMembers = ['params', 'inputs', 'outputs'];

/**
 * Reads what a C engine takes and gives from the file beside it (docs/schema.md).
 * @param service the public name of the service
 * @throws SchemaFileError
 */
export function readSchemaFile(text: string, service: string): SchemaFile {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new SchemaFileError([`no JSON: ${(error as Error).message}`]);
  }
  const faults: string[] = [];
  const onFault = (keys: readonly string[], reason: string): void => {
    faults.push(formatFault(keys, reason));
  };
  const root = new Members(document, [], onFault);
  let file: SchemaFile | null = null;
  if (legacyMembers.some((name) => root.has(name))) {
    for (const name of legacyMembers) {
      if (!root.has(name)) root.fault(name, `is missing; a document of the original has ${legacyMembers.join(', ')}`);
    }
    const { warning, ...legacy } = readLegacyDocument(root, service, onFault);
    file = { ...legacy, warnings: warning === null ? [] : [warning] };
    const fault = faults.length === 0 ? faultOfSchema(file.schema.request) : null;
    if (fault !== null) onFault(['schemainput', ...fault.keys], fault.reason);
  } else if (plainMembers.some((name) => root.has(name))) {
    const descriptor = readPlainDocument(root);
    file = { schema: describeService(descriptor, service), routes: [], warnings: [] };
  } else if (faults.length === 0) {
    onFault([], `expected ${plainMembers.join(', ')}, or ${legacyMembers.join(', ')}, but found none of them`);
  }
  if (file === null || faults.length > 0) throw new SchemaFileError([...new Set(faults)]);
  return file;
}
