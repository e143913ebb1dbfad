import { nameVariable } from './overrides.js';
import type { Key, KeyClass, Table } from './key.js';
import { showDefault } from './render.js';
import {
  defaultSection,
  environment,
  ownServiceKeys,
  schema,
  serviceKeys,
  servicesText,
  serviceTable,
  serviceWrapperTable,
} from './schema.js';

/** The text of docs/configuration.md. */
export function renderReference(): string {
  const tables: readonly Table[] = Object.values(schema);
  const sections = [introduction, describeEnvironment(), ...tables.map(describeTable), describeServices(tables)];
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
the variable. \`${nameVariable(serviceTable('NAME'), 'max')}\` sets \`max\` of \`[${serviceTable('NAME')}]\`. A variable that names no known key is an error.

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

function describeServices(tables: readonly Table[]): string {
  const rows = Object.entries(serviceKeys).flatMap(([key, spec]) => {
    const table = tables.find(({ keys }) => Object.values(keys).includes(spec));
    if (table === undefined || table === schema.plugin) return [];
    const inherited = ownServiceKeys.includes(spec) ? 'none' : 'what is set there';
    return [[`\`${key}\``, `\`[${table.name}].${key}\``, inherited]];
  });
  return `## \`[${serviceTable('NAME')}]\`

${servicesText} It begins with a letter.

\`\`\`toml
${servicesExample}
\`\`\`

It takes every key of \`[plugin]\`, with the same meaning. Nothing is taken from \`[plugin]\` itself: a key that is not set
has its default. \`path\` is needed; the default of \`service\`, the public name, is NAME. It also takes some keys of
other tables:

${renderRows(['Key', 'The same as', 'Default'], rows)}

Each service has its places for itself: one without \`max\` has as many as \`[fc].max\` says beside those of the others,
and \`[limits].queue\` and \`resources\` count for each.
Everything else is common to all services. \`[${serviceWrapperTable('NAME')}]\` is for the service what \`[wrapper]\` is for
\`[plugin]\`: every key is passed to its wrapperInit as text.

- **The main service** is that of \`[plugin]\`. A file with services may do without it: then it is there only if the
  default plugin is (\`./libwrapper.so\`; \`./wrapper.ts\` with \`AIGES_PLUGIN_MODE=node\`). \`AIGES_PLUGIN_MODE\` and
  \`AIGES_WRAPPER_VERSION\` are about this one.
- **The default service** gets the gRPC calls that name none of them ([xsf.md](xsf.md)): the main one, else the
  first of the file.
- Two services with the same public name or route are refused. So are two with the same engine and
  different config, because an engine runs once in a process; with the same config they share it. Only one of those that
  share may take resources.
- \`AIGES__SERVICES__NAME__KEY\`, \`AIGES__SERVICES__NAME__WRAPPER__KEY\` and \`--set services.NAME.key=value\` change
  services that the file has. They add none.
- They start in the order of the file, the main one first. If one does not start, those that have are ended, and so is the
  loader.`;
}

const servicesExample = `[plugin]                    # the main service
path = "./libwrapper.so"

[wrapper]                   # its config
model = "./asr.bin"

[services.translate]        # a second one, at /v1/private/translate
path = "./translate.ts"
instances = 2
max = 16

[services.translate.wrapper]
glossary = "./glossary.json"`;

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
