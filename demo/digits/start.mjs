// npm start: builds the demo engine, serves it, and says how to try it.
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../dist/cli/config-options.js';
import { serve } from '../../dist/cli/serve.js';
import { formatAddress } from '../../dist/core/address.js';
import { buildEngine } from './build-engine.mjs';

// The paths in aiges.toml are relative to the root of the repository.
process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
buildEngine();

try {
  const { grpc, http } = await serve(() =>
    readConfig({ config: 'demo/digits/aiges.toml', set: process.argv.slice(2) }),
  );
  const image = 'img=@demo/digits/samples/7-0.png';
  process.stdout.write(
    '\nSend it a handwritten seven, from another terminal in this folder:\n' +
      `  node dist/cli/main.js call http://${formatAddress(http)}/v1/private/digits -i ${image}\n` +
      'or over gRPC, as clients of the serving tier do:\n' +
      `  node dist/cli/main.js call grpc://${formatAddress(grpc)} -s digits -i ${image} -o result:text\n\n` +
      'Ctrl-C stops it.\n',
  );
} catch (error) {
  process.stderr.write(`aiges-ts: ${error.message}\n`);
  process.exitCode = 1;
}
