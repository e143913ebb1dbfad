#!/usr/bin/env node
import { Command } from 'commander';
import { addCall } from './call.js';
import { addInit } from './init.js';
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
  await program.parseAsync();
} catch (error) {
  // One line says what to do; where it happened matters to nobody who runs a command.
  process.stderr.write(`aiges-ts: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
