// npm run demo: starts a loader, sends it the sample images and every held-out digit, prints what came back, stops.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { callHttp } from '../../dist/cli/client/http.js';
import { callGrpc } from '../../dist/cli/client/grpc.js';
import { loadConfig } from '../../dist/config/load.js';
import { createHost } from '../../dist/host.js';
import { createLogger } from '../../dist/observability/logger.js';
import { accuracy, MIN_ACCURACY } from './accuracy.mjs';
import { buildEngine } from './build-engine.mjs';
import { loadHeldOut } from './data.mjs';

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
buildEngine();

const { config } = loadConfig({
  path: 'demo/digits/aiges.toml',
  // Any free ports, so that the demo also runs beside `npm start`.
  overrides: ['svcName.port=0', 'http.listen=127.0.0.1:0'],
});
const host = createHost(config, { log: createLogger('warn') });
const { grpc, http } = await host.start();

const request = { service: 'digits', outputs: [], params: new Map(), timeoutMs: 30_000 };
const ofFile = /^(\d)-\d+\.(png|pgm|raw)$/;

/** Reads the one output of the engine. */
function digitOf(answer) {
  return JSON.parse(answer.payloads[0].data.toString('utf8'));
}

async function classifySamples() {
  const folder = 'demo/digits/samples';
  const files = readdirSync(folder).filter((file) => ofFile.test(file));
  const rows = [];
  for (const file of files) {
    const input = { name: 'img', type: 'image', data: readFileSync(`${folder}/${file}`) };
    const url = new URL(`http://${http.host}:${http.port}/v1/private/digits`);
    const { digit, confidence } = digitOf(await callHttp(url, { ...request, inputs: [input] }));
    rows.push({ file, label: Number(ofFile.exec(file)[1]), digit, confidence });
  }
  return rows;
}

async function classifyHeldOut() {
  const digits = loadHeldOut();
  const outputs = [{ name: 'result', type: 'text' }];
  const answers = [];
  // As many at a time as there are licences.
  const permits = config.services[0].maxConcurrent;
  const lanes = Array.from({ length: permits }, async (_, lane) => {
    for (let index = lane; index < digits.length; index += permits) {
      const input = { name: 'img', type: 'image', data: Buffer.from(digits[index].bytes) };
      const answer = await callGrpc(`${grpc.host}:${grpc.port}`, { ...request, outputs, inputs: [input] });
      answers[index] = digitOf(answer).digit;
    }
  });
  await Promise.all(lanes);
  return { labels: digits.map(({ label }) => label), answers };
}

const rows = await classifySamples();
process.stdout.write('image      written  read  confidence\n');
for (const { file, label, digit, confidence } of rows) {
  const wrong = digit === label ? '' : '  wrong';
  process.stdout.write(
    `${file.padEnd(11)}${String(label).padStart(6)}${String(digit).padStart(7)}${confidence.toFixed(4).padStart(11)}${wrong}\n`,
  );
}
const samples = accuracy(
  rows.map(({ digit }) => digit),
  rows.map(({ label }) => label),
);
const heldOutRun = await classifyHeldOut();
const heldOut = accuracy(heldOutRun.answers, heldOutRun.labels);
const percent = (share) => `${(share * 100).toFixed(2)} %`;
process.stdout.write(
  `\nsamples: ${percent(samples)} of ${rows.length} right, over HTTP\n` +
    `held out: ${percent(heldOut)} of ${heldOutRun.labels.length} right, over gRPC\n`,
);
await host.drain();
if (heldOut < MIN_ACCURACY) {
  process.stderr.write(`demo: expected at least ${percent(MIN_ACCURACY)} of the held-out digits to be right\n`);
  process.exitCode = 1;
}
