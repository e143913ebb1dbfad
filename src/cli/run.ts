import type { Command } from 'commander';
import { loadRuntime, type PluginLog } from '../runtimes/load.js';
import { parseParam } from './client/request.js';
import { addServiceOptions, type ConfigOptions, readWrapperConfig } from './config-options.js';
import { collect, parseBytes, parseMs } from './option-values.js';
import { createJsonReport, createTextReport } from './run/report.js';
import { readSamples } from './run/sample.js';
import { runSequence } from './run/sequence.js';

interface RunOptions extends ConfigOptions {
  readonly sample?: string;
  readonly param: readonly string[];
  readonly piece: number;
  readonly timeout: number;
  readonly json?: true;
}

export function addRun(program: Command): void {
  addServiceOptions(program.command('run'))
    .description('take a wrapper through init, a call or stream with its sample data, and fini, and check the answer')
    .argument('[wrapper]', "module that exports the wrapper (default: the configuration's, else ./wrapper.ts)")
    .option('--sample <dir>', 'folder with a file per input (img.png for the input img), before declared samples')
    .option('-p, --param <key=value>', 'a request parameter; may be repeated', collect, [])
    .option('--piece <bytes>', 'length of the packets that sound is streamed in', parseBytes, 3200)
    .option('-t, --timeout <ms>', 'how long each step may take', parseMs, 60_000)
    .option('--json', 'print one JSON document instead of lines')
    .addHelpText(
      'after',
      '\nThe wrapper runs in a worker thread, as it is served. Exit code: 0 when the answer is as declared, 1 when\n' +
        'something failed, 2 when the command was called wrongly or samples are missing.\n' +
        '\nExamples:\n  aiges-ts run\n  aiges-ts run wrapper.ts --sample ./samples -p mode=music --json\n',
    )
    .action(run);
}

async function run(module: string | undefined, options: RunOptions): Promise<void> {
  const { loaded, service, plugin } = readWrapperConfig(module, options);
  for (const warning of loaded.warnings) process.stderr.write(`aiges-ts: warning: ${warning}\n`);
  const report = options.json === true ? createJsonReport(plugin.path) : createTextReport(plugin.path);
  const onLog: PluginLog = (level, message, fields) => {
    report.log(level, message, fields);
  };
  const { limits } = loaded.config;
  const runtime = loadRuntime(
    { ...plugin, instances: 1, execLimitMs: Math.min(plugin.execLimitMs, 1000) },
    {
      maxThreads: 1,
      leasedBytes: limits.leasedBytes,
      abandoned: limits.abandoned,
      streamResults: limits.results,
      streamBytes: limits.resultBytes,
      outputBytes: limits.outputBytes,
      onLog,
      onMeter: (_tag, key, count) => {
        report.log('info', `meter ${key}: ${count}`, {});
      },
      onTrace: (_tag, key, value) => {
        report.log('info', `trace ${key}: ${value}`, {});
      },
    },
  );
  const params = new Map(options.param.map(parseParam));
  const sequence = runSequence(
    {
      runtime,
      config: service.pluginConfig,
      readSamples: (descriptor) =>
        readSamples(descriptor, { wrapper: plugin.path, folder: options.sample ?? null, params }),
      pieceBytes: options.piece,
      timeoutMs: options.timeout,
    },
    (event) => {
      report.tell(event);
    },
  );
  // Threads that hang, and whatever the wrapper has left behind in them, must not keep the command.
  try {
    const passed = await sequence;
    process.stdout.write(report.end(passed), () => process.exit(passed ? 0 : 1));
  } catch (error) {
    setImmediate(() => process.exit());
    throw error;
  }
}
