import type { Plan } from './plan.js';
import { schema } from './schema.js';

/** Its place is the working directory, whatever the config is. */
const listFile = 'headerPass.wrapper';

/** Names of headers that become parameters: those of the config, then those of the list file. */
export function choosePassedHeaders({ settings, surroundings, report }: Plan): readonly string[] {
  const names = [
    'sid',
    ...settings.get(schema.aiges.keys.headerPass).split(';'),
    ...(report.attempt(() => surroundings.readFile(listFile)) ?? '').split('\n'),
  ];
  return [...new Set(names.map((name) => name.trim()).filter((name) => name !== ''))];
}
