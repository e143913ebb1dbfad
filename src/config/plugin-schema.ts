import { dirname, join } from 'node:path';
import { readSchemaFile, type SchemaFile, SchemaFileError } from '../schema/schema-file.js';
import type { NativePluginConfig, NodePluginConfig } from './config.js';
import type { Plan } from './plan.js';
import { noSchema, schema } from './schema.js';

export interface PluginSchema extends SchemaFile {
  readonly path: string;
  /** Whether the configuration names the file. One that merely lies there changes nothing that clients rely on. */
  readonly named: boolean;
}

/** Beside a library, when no key names another. */
const usualName = 'schema.json';

/**
 * What a file says that a C engine takes and gives. A wrapper says that itself: for one, no file is read.
 * @returns null when there is no such file, or when it is at fault, which has been reported then: an engine that was served
 * before somebody put a file beside it goes on being served, as one without a file
 */
export function choosePluginSchema(
  plan: Pick<Plan, 'settings' | 'surroundings' | 'report'>,
  plugin: NativePluginConfig | NodePluginConfig,
  service: string,
): PluginSchema | null {
  const { settings, surroundings, report } = plan;
  const { schema: key } = schema.plugin.keys;
  const named = settings.get(key);
  if (named === noSchema) return null;
  if (plugin.kind === 'node') {
    if (named !== null) report.fault(settings.where(key), 'a wrapper declares what it takes itself; remove the key');
    return null;
  }
  if (named === null && !surroundings.hasFile(plugin.path)) return null;
  const path = named ?? join(dirname(plugin.path), usualName);
  const text = report.attempt(() => surroundings.readFile(path));
  if (text === null) {
    if (named !== null) report.fault(settings.where(key), `no file ${JSON.stringify(path)}`);
    return null;
  }
  try {
    const file = readSchemaFile(text, service);
    for (const warning of file.warnings) report.warn(path, warning);
    return { ...file, path, named: named !== null };
  } catch (error) {
    if (!(error instanceof SchemaFileError)) throw error;
    for (const fault of error.faults) {
      if (named !== null) report.fault(path, fault);
      else report.warn(path, `${fault}; the file is not used; mend it, or set schema = "${noSchema}" next to path`);
    }
    return null;
  }
}
