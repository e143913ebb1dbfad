#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config.js';
import { addCall } from './call.js';
import { addCreate } from './create.js';
import { addDev } from './dev.js';
import { addInit } from './init.js';
import { addInspect } from './inspect.js';
import { translateLegacy } from './legacy.js';
import { addRun } from './run.js';
import { addSchema } from './schema.js';
import { addServe } from './serve.js';
import { UsageError } from './usage-error.js';
import { version } from './version.js';

const program = new Command('aiges-ts')
  .description('Serves AIGES inference plugins over gRPC (xsf) and HTTP.')
  .version(version)
  .showSuggestionAfterError()
  .exitOverride();

addCreate(program);
addRun(program);
addDev(program);
addServe(program);
addCall(program);
addSchema(program);
addInspect(program);
addInit(program);

try {
  const legacy = translateLegacy(process.argv.slice(2));
  for (const warning of legacy?.warnings ?? []) process.stderr.write(`aiges-ts: warning: ${warning}\n`);
  await program.parseAsync(legacy?.args ?? process.argv.slice(2), { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError) {
    // It has said already what was wrong, or printed what was asked for.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    // One line says what to do; where it happened matters to nobody who runs a command.
    process.stderr.write(`aiges-ts: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof UsageError || error instanceof ConfigError ? 2 : 1;
  }
}
