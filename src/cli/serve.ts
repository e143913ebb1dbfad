import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import type { Command } from 'commander';
import type { Config, LoadedConfig } from '../config/config.js';
import { formatAddress } from '../core/address.js';
import { createHost, type Drained, type Host, type HostOptions, type Started } from '../host.js';
import { openLog } from '../observability/logger.js';
import { addConfigOptions, type ConfigOptions, readConfig } from './config-options.js';
import { createRecording } from './recording.js';
import { UsageError } from './usage-error.js';
import { version } from './version.js';

export function addServe(program: Command): void {
  addConfigOptions(program.command('serve'))
    .description('load the plugins of a configuration and serve them until SIGTERM or SIGINT')
    .addHelpText('after', '\nExample:\n  aiges-ts serve -c aiges.toml --set http.listen=127.0.0.1:8080\n')
    .action(async (options: ConfigOptions) => {
      await serve(() => {
        const loaded = readConfig(options);
        if (loaded.asked !== null) {
          const { table } = loaded.asked;
          throw new UsageError(
            `[${table}] is served with the others; -s chooses the table with host and port (default: svcName)`,
          );
        }
        return loaded;
      });
    });
}

/**
 * Serves until a signal ends the process. Resolves when everything listens and the addresses have been printed.
 * @param read gives the configuration
 * @param wrapRuntime sees how the runtime of each plugin is made, and gives the one to serve
 */
export async function serve(read: () => LoadedConfig, wrapRuntime?: HostOptions['wrapRuntime']): Promise<Started> {
  // grpc-js writes to the terminal on its own; what matters of it reaches us as an error.
  setLogVerbosity(logVerbosity.NONE);
  // Whoever read our output may be gone: no reason to lose the calls that are running.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const record = createRecording('.', warn);
  record('xsf_initializing');
  const { config, warnings } = read();
  for (const warning of warnings) warn(warning);

  const opened = await openLog(config.log, warn);
  const closeLog = (): Promise<void> => opened.close();
  try {
    const host = createHost(config, {
      log: opened.log,
      ...(wrapRuntime === undefined ? {} : { wrapRuntime }),
    });
    record('user_initializing');
    // From here on a signal must find its handler: an engine may take minutes to load.
    const stopped = stopOnSignal(host, closeLog);
    const started = await host.start();
    record('xsf_done');
    process.stdout.write(banner(config, started));
    stopped.arm();
    return started;
  } catch (error) {
    if (config.log.file !== null) opened.log.error({ err: error }, 'not started');
    await closeLog();
    throw error;
  }
}

function warn(text: string): void {
  process.stderr.write(`aiges-ts: warning: ${text}\n`);
}

/** The first signal drains, the second ends at once. */
function stopOnSignal(host: Host, closeLog: () => Promise<void>): { arm(): void } {
  let armed = false;
  let signalled: NodeJS.Signals | null = null;
  const drain = (signal: NodeJS.Signals): void => {
    process.stderr.write(`aiges-ts: ${signal}: finishing running calls; a second signal ends at once\n`);
    const drained = host.drain().finally(closeLog);
    drained.then(finish, (error: unknown) => {
      process.stderr.write(`aiges-ts: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    });
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // The plugin is still loading: nothing is running that could be lost.
    if (signalled !== null || !armed) process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
    signalled = signal;
    drain(signal);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    arm: () => {
      armed = true;
    },
  };
}

function finish({ stuck, ended }: Drained): void {
  if (stuck > 0) {
    process.stderr.write(
      `aiges-ts: ${stuck} call(s) were still inside the plugin when drainTimeout was up; ended without wrapperFini\n`,
    );
  }
  if (stuck === 0 && !ended) process.stderr.write('aiges-ts: wrapperFini did not return; ended without it\n');
  // An engine's own threads may still be there; they must not keep the process.
  process.exit(ended ? 0 : 1);
}

function banner(config: Config, started: Started): string {
  const lines = started.services.map(
    ({ name, version: reported, plugin }) =>
      `aiges-ts ${version} serves "${name}" ${reported} (${plugin.kind} plugin, version ${plugin.version || '?'})`,
  );
  const [first, ...more] = started.services;
  const unnamed = first === undefined || more.length === 0 ? '' : `  (calls that name none of them: "${first.name}")`;
  lines.push(`  gRPC  ${formatAddress(started.grpc)}  /utils.XsfCall/call${unnamed}`);
  if (config.grpc.unix !== null) lines.push(`  gRPC  unix:${config.grpc.unix}`);
  if (started.http !== null) {
    for (const { route } of started.services) {
      lines.push(`  HTTP  http://${formatAddress(started.http)}${route}`);
    }
  }
  if (!config.grpc.hostConfigured) {
    lines.push(
      '  Only this machine can connect: no host is configured. Set host in the service section to change that.',
    );
  }
  return `${lines.join('\n')}\n`;
}
