import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { ServiceConfig } from '../config/config.js';
import { describeWrapper } from '../runtimes/load.js';
import { legacySchema } from '../schema/legacy.js';
import { openApiDocument } from '../schema/openapi.js';
import { describeService, type ServiceSchema } from '../schema/service-schema.js';
import {
  addServiceOptions,
  type ConfigOptions,
  orAnother,
  readPluginConfig,
  requireWrapper,
  type WrapperConfig,
} from './config-options.js';
import { readElfLibrary } from './inspect/elf.js';
import { readEntryPoints } from './inspect/entry-points.js';
import { writeLine } from './plugin-output.js';
import { UsageError } from './usage-error.js';

interface SchemaOptions extends ConfigOptions {
  readonly legacy?: true;
  readonly out?: string;
}

export function addSchema(program: Command): void {
  addServiceOptions(program.command('schema'))
    .description('print what clients of a plugin can send and get, as an OpenAPI 3.1 document')
    .argument('[wrapper]', "module that exports the wrapper (default: the configuration's, else ./wrapper.ts)")
    .option('--legacy', 'print the schema document of the Python SDK instead')
    .option('-o, --out <file>', 'write it to a file')
    .addHelpText(
      'after',
      '\nThe module is loaded, but init is not called; of a C engine the schema file is read (docs/schema.md), and the\n' +
        'names that the library exports. The path in the document is the one that "serve" would serve with the same\n' +
        'options.\n' +
        '\nExamples:\n  aiges-ts schema > openapi.json\n  aiges-ts schema wrapper.ts --legacy --out schema.json\n',
    )
    .action(schema);
}

async function schema(module: string | undefined, options: SchemaOptions): Promise<void> {
  const { loaded, service } = readPluginConfig(module, options);
  for (const warning of loaded.warnings) process.stderr.write(`aiges-ts: warning: ${warning}\n`);
  const { schema, once, stream } = await describePlugin(loaded, service);
  const { name, version, route, aliases } = service;
  const document =
    options.legacy === true && schema.descriptor !== null
      ? legacySchema(schema.descriptor, name)
      : openApiDocument([route, ...aliases].map((path) => ({ schema, name, version, route: path, once, stream })));
  const text = `${JSON.stringify(document, null, 4)}\n`;
  if (options.out === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(options.out, text);
  } catch (error) {
    throw new Error(`cannot write ${options.out}: ${(error as Error).message}`, { cause: error });
  }
}

interface DescribedPlugin {
  readonly schema: ServiceSchema;
  readonly once: boolean;
  readonly stream: boolean;
}

/** A wrapper says it all; of an engine its schema file and the names that it exports do. */
async function describePlugin(loaded: WrapperConfig['loaded'], service: ServiceConfig): Promise<DescribedPlugin> {
  const { name, table, plugin, schema } = service;
  if (plugin.kind === 'node') {
    requireWrapper(plugin);
    const { descriptor, once, stream } = await describeWrapper({ path: plugin.path, onLog: writeLine });
    return { schema: describeService(descriptor, name), once, stream };
  }
  if (schema === null) {
    const way = orAnother(loaded, service, (each) => each.plugin.kind === 'node' || each.schema !== null);
    throw new UsageError(
      `${plugin.path} is no wrapper, and has no schema file; name the module that exports a wrapper (wrapper.ts), ` +
        `set [${table}].path, or write a schema file (docs/schema.md)${way}`,
    );
  }
  return { schema, ...readKinds(plugin.path) };
}

/** What kinds of calls an engine offers. */
function readKinds(path: string): Pick<DescribedPlugin, 'once' | 'stream'> {
  try {
    const { groups } = readEntryPoints(readElfLibrary(readFileSync(path)).exports);
    const has = (...names: string[]): boolean => groups.some(({ name, complete }) => names.includes(name) && complete);
    return { once: has('once', 'async'), stream: has('stream') };
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}
