import type { Document } from './document.js';
import type { Environment } from './overrides.js';
import type { Report } from './report.js';
import type { Settings } from './settings.js';

/** All that parsing knows of the world. */
export interface Surroundings {
  /** Path of the text, for messages and for files named in it. */
  readonly source: string;
  /** The service section, `svcName` when absent; or the NAME of a `[services.NAME]`. */
  readonly section?: string | undefined;
  readonly env?: Environment | undefined;
  /** `table.key=value`; these win over the environment, which wins over the file. */
  readonly overrides?: readonly string[] | undefined;
  /** Path of the plugin of the service that is asked for, over everything else. */
  readonly plugin?: string | undefined;
  /** Text of a file, or `null` when there is none. Throws a ConfigError for one that cannot be read. */
  readFile(path: string): string | null;
  hasFile(path: string): boolean;
  /** The same for every path of one file: absolute, without links. The absolute path for one that is not there. */
  realPath(path: string): string;
  readonly cores: number;
  /** Addresses by network interface. */
  readonly interfaces: Readonly<Record<string, readonly NetworkAddress[] | undefined>>;
}

export interface NetworkAddress {
  readonly family: string;
  readonly address: string;
}

/** What a Config is built from once its keys have been checked one by one. */
export interface Plan {
  readonly document: Document;
  readonly settings: Settings;
  /** Name of the service section. */
  readonly section: string;
  readonly surroundings: Surroundings;
  readonly report: Report;
}

/** What one service is built from. */
export interface ServicePlan extends Plan {
  /** Its keys, and what other tables say where it has none. */
  readonly settings: Settings;
  /** Its public name where no key says it. */
  readonly name: string;
  /** The name of the table with its keys, and of the one with the config of its plugin. */
  readonly table: string;
  readonly wrapper: string;
}
