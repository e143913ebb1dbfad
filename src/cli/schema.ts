import type { Command } from 'commander';
export function addSchema(program: Command): void {
  program.command('schema');
}
