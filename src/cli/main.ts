#!/usr/bin/env node
import { Command } from 'commander';
import { addCall } from './call.js';
import { addInit } from './init.js';
import { translateLegacy } from './legacy.js';
import { addServe } from './serve.js';
import { version } from './version.js';

const program = new Command('aiges-ts')
  .description('Serves AIGES inference plugins over gRPC (xsf) and HTTP.')
  .version(version)
  .showSuggestionAfterError();

addServe(program);
addCall(program);
addInit(program);

try {
  const legacy = translateLegacy(process.argv.slice(2));
  for (const warning of legacy?.warnings ?? []) process.stderr.write(`aiges-ts: warning: ${warning}\n`);
  await program.parseAsync(legacy?.args ?? process.argv.slice(2), { from: 'user' });
} catch (error) {
  // One line says what to do; where it happened matters to nobody who runs a command.
  process.stderr.write(`aiges-ts: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
