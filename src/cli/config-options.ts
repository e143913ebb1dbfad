import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { LoadedConfig, NodePluginConfig, ServiceConfig } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { schema, serviceTable } from '../config/schema.js';
import { collect } from './option-values.js';
import { UsageError } from './usage-error.js';

/** What commands that read a configuration can be told about it. */
export interface ConfigOptions {
  readonly config?: string;
  readonly service?: string;
  readonly set: readonly string[];
}

/** Options of a command that takes the configuration as a whole. */
export function addConfigOptions(command: Command): Command {
  return addOptions(command, 'name of the service section (default: svcName)');
}

/** Options of a command that is about one service. */
export function addServiceOptions(command: Command): Command {
  return addOptions(
    command,
    'the service: NAME of [services.NAME], or the service section (default: the service section, svcName)',
  );
}

function addOptions(command: Command, service: string): Command {
  return command
    .option('-c, --config <file>', 'configuration file (default: ./aiges.toml if there is one)')
    .option('-s, --service <section>', service)
    .option('--set <section.key=value>', 'override a key of the configuration; may be repeated', collect, []);
}

/**
 * @param plugin path of the plugin of the service that the command is about, whatever the configuration says
 * @throws ConfigError
 */
export function readConfig({ config, service, set }: ConfigOptions, plugin?: string): LoadedConfig {
  return loadConfig({
    path: config ?? null,
    ...(service === undefined ? {} : { section: service }),
    ...(plugin === undefined ? {} : { plugin }),
    env: process.env,
    overrides: set,
  });
}

/**
 * The service that a command is about: the one that was asked for, else the main one, else the only one.
 * @throws UsageError when there are several, and nothing says which
 */
export function chooseService({ asked, config: { services } }: LoadedConfig): ServiceConfig {
  const [first, ...more] = services;
  const service = asked ?? services.find(isMain) ?? (more.length === 0 ? first : undefined);
  if (service === undefined)
    throw new UsageError(`there are several services; choose one with ${listChoices(services)}`);
  return service;
}

function isMain({ table }: ServiceConfig): boolean {
  return table === schema.plugin.name;
}

function listChoices(services: readonly ServiceConfig[]): string {
  return services
    .filter((each) => !isMain(each))
    .map(({ table }) => `--service ${table.slice(serviceTable('').length)}`)
    .join(' or ');
}

export interface WrapperConfig {
  readonly loaded: LoadedConfig;
  readonly service: ServiceConfig;
  readonly plugin: NodePluginConfig;
}

const usualWrapper = './wrapper.ts';

/**
 * The configuration for a command about a plugin.
 * @param module the wrapper that was named; else the configuration's plugin, else ./wrapper.ts if there is one
 * @throws ConfigError
 */
export function readPluginConfig(
  module: string | undefined,
  options: ConfigOptions,
): Pick<WrapperConfig, 'loaded' | 'service'> {
  let loaded = readConfig(options, module);
  let service = chooseService(loaded);
  // Nobody has named a plugin, and the engine that is served then is not there.
  const missing = isMain(service) && service.plugin.kind === 'native' && !existsSync(service.plugin.path);
  if (missing && existsSync(usualWrapper)) {
    loaded = readConfig(options, usualWrapper);
    service = chooseService(loaded);
  }
  return { loaded, service };
}

/**
 * The same for a command about a wrapper.
 * @throws UsageError when there is no wrapper
 * @throws ConfigError
 */
export function readWrapperConfig(module: string | undefined, options: ConfigOptions): WrapperConfig {
  const { loaded, service } = readPluginConfig(module, options);
  const { plugin, table } = service;
  if (plugin.kind !== 'node') {
    const way = orAnother(loaded, service, (each) => each.plugin.kind === 'node');
    throw new UsageError(
      `${plugin.path} is no wrapper; name the module that exports one (wrapper.ts), or set [${table}].path${way}`,
    );
  }
  requireWrapper(plugin);
  return { loaded, service, plugin };
}

/** Words about the other services that a command could be about; none where there is none. */
export function orAnother(
  { config }: WrapperConfig['loaded'],
  service: ServiceConfig,
  fits: (other: ServiceConfig) => boolean,
): string {
  const others = listChoices(config.services.filter((each) => each !== service && fits(each)));
  return others === '' ? '' : `, or choose another service with ${others}`;
}

/** @throws UsageError when the module is not there */
export function requireWrapper({ path }: NodePluginConfig): void {
  if (!existsSync(path)) throw new UsageError(`${path}: no such file; name the module that exports the wrapper`);
}
