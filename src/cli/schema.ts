import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describeWrapper } from '../runtimes/load.js';
import { legacySchema } from '../schema/legacy.js';
import { openApiDocument } from '../schema/openapi.js';
import { addServiceOptions, type ConfigOptions, readWrapperConfig } from './config-options.js';
import { writeLine } from './plugin-output.js';

interface SchemaOptions extends ConfigOptions {
  readonly legacy?: true;
  readonly out?: string;
}

export function addSchema(program: Command): void {
  addServiceOptions(program.command('schema'))
    .description('print what clients of a wrapper can send and get, as an OpenAPI 3.1 document')
    .argument('[wrapper]', "module that exports the wrapper (default: the configuration's, else ./wrapper.ts)")
    .option('--legacy', 'print the schema document of the Python SDK instead')
    .option('-o, --out <file>', 'write it to a file')
    .addHelpText(
      'after',
      '\nThe module is loaded, but init is not called. The path in the document is the one that "serve" would serve\n' +
        'with the same options.\n' +
        '\nExamples:\n  aiges-ts schema > openapi.json\n  aiges-ts schema wrapper.ts --legacy --out schema.json\n',
    )
    .action(schema);
}

async function schema(module: string | undefined, options: SchemaOptions): Promise<void> {
  const { loaded, service, plugin } = readWrapperConfig(module, options);
  for (const warning of loaded.warnings) process.stderr.write(`aiges-ts: warning: ${warning}\n`);
  const { descriptor, once } = await describeWrapper({ path: plugin.path, onLog: writeLine });
  if (!once && options.legacy !== true) {
    process.stderr.write('aiges-ts: warning: the wrapper serves streams only, which have no path over HTTP\n');
  }
  const document =
    options.legacy === true
      ? legacySchema(descriptor, service.name)
      : openApiDocument([{ descriptor, name: service.name, route: service.route, once }]);
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
