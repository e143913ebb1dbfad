import type { Command } from 'commander';
import { AigesError } from '../core/errors.js';
import { ReloadingRuntime } from '../runtimes/load.js';
import { addServiceOptions, type ConfigOptions, readWrapperConfig } from './config-options.js';
import { withoutOurFrames } from './plugin-output.js';
import { OwnWrites } from './dev/own-writes.js';
import { watchSources } from './dev/watch.js';
import { serve } from './serve.js';

export function addDev(program: Command): void {
  addServiceOptions(program.command('dev'))
    .description('serve a wrapper, and load it anew whenever its sources change')
    .argument('[wrapper]', "module that exports the wrapper (default: the configuration's, else ./wrapper.ts)")
    .addHelpText(
      'after',
      "\nWatches the TypeScript, JavaScript and JSON files in the wrapper's folder and below, node_modules, dist and\n" +
        'hidden folders excepted. Calls that are running end on the code that they began on. When the new code does not\n' +
        'load, the old one goes on. The configuration is read once. With several services all are served, and this is\n' +
        'about one of them.\n' +
        '\nExample:\n  aiges-ts dev wrapper.ts --set http.listen=127.0.0.1:8080\n',
    )
    .action(dev);
}

async function dev(module: string | undefined, options: ConfigOptions): Promise<void> {
  const { loaded, plugin, service } = readWrapperConfig(module, options);
  let runtime: ReloadingRuntime | null = null;
  await serve(
    () => loaded,
    (make, each) => {
      if (each !== service) return make();
      runtime = new ReloadingRuntime({
        make,
        onRetired: (failure) => {
          if (failure !== null) say(`the old code ended: ${failure.message}`);
        },
      });
      return runtime;
    },
  );
  const own = new OwnWrites();
  const reload = async (changed: readonly string[]): Promise<void> => {
    const { files, left } = own.sort(changed);
    if (left.length > 0) {
      say(
        `not reloaded for ${left.join(', ')}: changed while the wrapper was starting; if that was you, save it again`,
      );
    }
    if (files.length === 0) return;
    const since = performance.now();
    const loaded = own.loading();
    try {
      const info = await runtime?.reload();
      if (info !== null && info !== undefined) {
        say(`reloaded in ${Math.round(performance.now() - since)} ms (version ${info.version}): ${files.join(', ')}`);
      }
    } catch (error) {
      const { message, detail } = AigesError.from(error);
      say(
        `not reloaded, the old code goes on: ${withoutOurFrames(detail === null ? message : `${message}\n${detail}`)}`,
      );
    } finally {
      loaded();
    }
  };
  const { folder } = watchSources(plugin.path, (files) => void reload(files), say);
  say(`watching ${folder}`);
}

function say(text: string): void {
  process.stdout.write(`aiges-ts dev: ${text}\n`);
}
