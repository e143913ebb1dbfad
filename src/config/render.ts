import type { Key, Table } from './key.js';
import { schema, serviceKeys, servicesText, serviceTable, serviceWrapperTable } from './schema.js';

const lineWidth = 110;

/** The text of the default config: every key that is worth setting, with what it does. */
export function renderDefaultConfig(): string {
  const tables: readonly Table[] = Object.values(schema);
  const head = [
    '# Config of aiges-ts. Keys that are commented out show their default or an example.',
    '# All keys, those of older files included: docs/configuration.md',
  ];
  const blocks = [head, ...tables.map(renderTable), renderServices()].filter((lines) => lines.length > 0);
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** One service as an example: the keys are explained above. */
function renderServices(): string[] {
  const own = Object.keys(serviceKeys).filter((key) => !Object.hasOwn(schema.plugin.keys, key));
  const table = serviceTable('echo');
  return [
    ...comment(servicesText),
    ...comment(
      `Keys: those of [plugin], and ${own.join(', ')} as above. Its plugin gets [${serviceWrapperTable('NAME')}].`,
    ),
    `#[${table}]`,
    '#path = "./echo.ts"',
    '#max = 4',
    '',
    `#[${serviceWrapperTable('echo')}]`,
    `#${schema.wrapper.example ?? ''}`,
  ];
}

function renderTable({ name, text, keys, example }: Table): string[] {
  const shown = Object.entries(keys).filter(([, key]) => key.class === 'live' && key.superseded !== true);
  const blocks = shown.map(([keyName, key]) => renderKey(keyName, key).join('\n'));
  if (example !== undefined) blocks.push(`#${example}`);
  if (blocks.length === 0) return [];
  return [...comment(text), `[${name}]`, blocks.join('\n\n')];
}

function renderKey(name: string, key: Key): string[] {
  const value = key.sample ?? key.kind.show(key.default);
  return [
    ...comment(key.text),
    ...comment(`Type: ${key.kind.name}. Default: ${showDefault(key)}.`),
    `${key.active === true ? '' : '#'}${name} = ${value}`,
  ];
}

/** The default as it would be written, or what it is derived from. */
export function showDefault(key: Key): string {
  return key.defaultText ?? key.kind.show(key.default);
}

function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > lineWidth) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
