import { fileURLToPath } from 'node:url';

/** Shows on standard error what a plugin logs or prints while a command runs it. */
export function writeLine(level: string, message: string, fields: object): void {
  // Where it came from is clear: there is one plugin, and one call.
  const { stack } = fields as Record<string, unknown>;
  const rest = Object.entries(fields).filter(([name]) => !['stack', 'stream', 'sid', 'tag'].includes(name));
  const extra = rest.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(rest))}`;
  process.stderr.write(`  | ${level}: ${message}${extra}\n`);
  if (typeof stack === 'string') process.stderr.write(indent(withoutOurFrames(stack)));
}

export function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `      ${line}\n`)
    .join('');
}

const ours = fileURLToPath(new URL('..', import.meta.url));

/** A stack without the lines that say nothing to the author of a plugin: the loader's, Node's and those of packages. */
export function withoutOurFrames(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => !/^\s+at /.test(line) || (!/\bnode:|\/node_modules\//.test(line) && !line.includes(ours)))
    .join('\n');
}
