// A loader that tells what its native part holds: node soak-process.mjs CONFIG '["section.key=value",…]'
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { loadConfig } from '../dist/config/load.js';
import { createHost } from '../dist/host.js';
import { createLogger } from '../dist/observability/logger.js';
import { counters } from '../dist/runtimes/native/index.js';

setLogVerbosity(logVerbosity.NONE);
const [path, overrides] = process.argv.slice(2);
const { config } = readConfig();
const host = createHost(config, { log: createLogger(config.log.level) });

process.on('message', async ({ question }) => {
  if (question === 'drain') process.send(await host.drain());
  else process.send(counters());
});
process.on('disconnect', () => process.exit());

function readConfig() {
  try {
    return loadConfig({ path, overrides: JSON.parse(overrides) });
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

const { grpc } = await host.start();
process.send({ port: grpc.port });
