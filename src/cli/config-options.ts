import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { LoadedConfig, NodePluginConfig, ServiceConfig } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { collect } from './option-values.js';
import { UsageError } from './usage-error.js';

/** What commands that read a configuration can be told about it. */
export interface ConfigOptions {
  readonly config?: string;
  readonly service?: string;
  readonly set: readonly string[];
}

export function addConfigOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file (default: ./aiges.toml if there is one)')
    .option('-s, --service <section>', 'name of the service section (default: svcName)')
    .option('--set <section.key=value>', 'override a key of the configuration; may be repeated', collect, []);
}

/** @throws ConfigError */
export function readConfig({ config, service, set }: ConfigOptions): LoadedConfig {
  return loadConfig({
    path: config ?? null,
    ...(service === undefined ? {} : { section: service }),
    env: process.env,
    overrides: set,
  });
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
  const withPath = (path: string): LoadedConfig =>
    readConfig({ ...options, set: [...options.set, `plugin.path=${path}`] });
  let loaded = module === undefined ? readConfig(options) : withPath(module);
  let service = onlyService(loaded);
  // Nobody has named a plugin, and the engine that is served then is not there.
  if (service.plugin.kind === 'native' && !existsSync(service.plugin.path) && existsSync(usualWrapper)) {
    loaded = withPath(usualWrapper);
    service = onlyService(loaded);
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
  const { plugin } = service;
  if (plugin.kind !== 'node') {
    throw new UsageError(
      `${plugin.path} is no wrapper; name the module that exports one (wrapper.ts), or set [plugin].path`,
    );
  }
  requireWrapper(plugin);
  return { loaded, service, plugin };
}

/** @throws UsageError when the module is not there */
export function requireWrapper({ path }: NodePluginConfig): void {
  if (!existsSync(path)) throw new UsageError(`${path}: no such file; name the module that exports the wrapper`);
}

function onlyService({ config }: LoadedConfig): ServiceConfig {
  const [service] = config.services;
  if (service === undefined) throw new UsageError('the configuration names no service');
  return service;
}
