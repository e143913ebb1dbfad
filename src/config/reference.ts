import { nameVariable } from './overrides.js';
import type { Key, KeyClass, Table } from './key.js';
import { showDefault } from './render.js';
import { defaultSection, environment, schema } from './schema.js';

/** The text of docs/configuration.md. */
export function renderReference(): string {
  const tables: readonly Table[] = Object.values(schema);
  const sections = [introduction, describeEnvironment(), ...tables.map(describeTable)];
  return `${sections.join('\n\n')}\n`;
}

const introduction = `# Configuration

<!-- Generated from src/config/schema.ts: "npx vitest run test/unit/config -u" writes it and aiges.toml anew. -->

The loader reads \`aiges.toml\` in the working directory, or the file given with \`-c\`. Without either it runs on the
defaults below. \`aiges-ts init\` writes a file to start from. A file of the original AIGES loader works unchanged.

Values are taken from, in this order: the command line (\`--set table.key=value\`), the environment, the file, the defaults.

A mistake never passes in silence. A wrong value, an unknown key in a known table and a syntax error end the start; all
faults are reported at once, one line each. An unknown table, and a key without effect, is answered with one warning.

## Values

- **Sizes**: \`"256MiB"\`, \`"64KiB"\`, \`"1GiB"\`, or an integer that counts bytes.
- **Durations**: \`"60s"\`, \`"500ms"\`, \`"2m"\`, \`"1h"\`. Keys of the original keep their integers and their units.
- **Integers** may be written as text: \`"8"\`. **Strings** may be written as numbers.
- **Addresses**: \`"127.0.0.1:1888"\`, \`"[::1]:1888"\`, \`":1888"\` for all IPv4 interfaces. Port 0 takes a free one.

The column _Effect_ says what a key does in this version:

- **live**: it has an effect.
- **later**: it had an effect in the original and has none here yet. Setting it brings a warning.
- **dead**: it never had an effect, or means nothing to this loader. Setting it brings a warning.
- **platform**: it talks to the platform that the original was part of. One warning per table.

Keys that are set to what asks for nothing (such as \`finder = 0\`) bring no warning.

## Choices worth knowing

- Without \`host\` the loader listens on 127.0.0.1 only, and says so when it starts. The original looked its host name up.
- Without \`port\` the port is 5090. The original took a random one, which only its service registry could find.
- Without an HTTP address HTTP is served on 127.0.0.1:1888. The original took a random port.
- Without \`[fc].max\` twice as many requests run at the same time as there are CPU cores.
- A value of the wrong type is an error. The original used the default and said nothing.`;

function describeEnvironment(): string {
  const rows = Object.values(environment).map((each) => [`\`${each.name}\``, each.class, each.text]);
  return `## Environment

Every key can be set with a variable named \`AIGES__TABLE__KEY\`, such as \`${nameVariable('fc', 'max')}=8\` or
\`${nameVariable(defaultSection, 'port')}=5091\`. Case does not matter, and \`_\` stands for \`-\` and \`.\` in names. A variable for
\`[wrapper]\` sets the key of the file that it matches; where it matches none, the key gets its name as it is written in
the variable. A variable that names no known key is an error.

${renderRows(['Variable', 'Effect', 'Meaning'], rows)}`;
}

function describeTable(table: Table): string {
  const { name, text, keys, open } = table;
  const rows = Object.entries(keys).map(([key, spec]) => [
    `\`${key}\``,
    spec.kind.name,
    describeDefault(spec),
    spec.class,
    spec.text,
  ]);
  const parts = [`## \`[${name}]\``, text];
  if (open !== undefined && open !== 'live') parts.push(openTables[open]);
  if (rows.length > 0) parts.push(renderRows(['Key', 'Type', 'Default', 'Effect', 'Meaning'], rows));
  return parts.join('\n\n');
}

const openTables: Readonly<Record<Exclude<KeyClass, 'live'>, string>> = {
  later: 'Accepted with one warning.',
  dead: 'Accepted with one warning.',
  platform: 'Accepted with one warning; with none when it says `able = 0`.',
};

function describeDefault(key: Key): string {
  if (key.class === 'dead' || key.class === 'platform') return '';
  return key.defaultText ?? `\`${showDefault(key)}\``;
}

/** Columns are padded the way the formatter of the repository pads them. */
function renderRows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const rows = [head, ...body].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}
