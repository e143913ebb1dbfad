import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { callGrpc } from './client/grpc.js';
import { callHttp } from './client/http.js';
import { type Answer, parseInput, parseOutput, parseParam } from './client/request.js';
import { collect, parseMs } from './option-values.js';
import { UsageError } from './usage-error.js';

interface CallOptions {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly param: readonly string[];
  readonly service: string;
  readonly timeout: number;
  readonly save?: string;
}

export function addCall(program: Command): void {
  program
    .command('call')
    .description('send one request to a running loader and print the answer')
    .argument('<address>', 'grpc://host:port, or http://host:port with or without the path of the service')
    .option(
      '-i, --input <name=text|name=@file>',
      'an input; name:type=… sets its type (else by extension)',
      collect,
      [],
    )
    .option('-o, --output <name[:type]>', 'an expected output; over gRPC every output must be named', collect, [])
    .option('-p, --param <key=value>', 'a request parameter', collect, [])
    .option('-s, --service <name>', 'name of the service', 'svcName')
    .option('-t, --timeout <ms>', 'how long to wait for the answer', parseMs, 10_000)
    .option('--save <dir>', 'write every output to a file in this folder instead of printing it')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  aiges-ts call http://127.0.0.1:1888/v1/private/digits -i img=@seven.png\n' +
        '  aiges-ts call grpc://127.0.0.1:5090 -s digits -i img=@seven.png -o result:text\n',
    )
    .action(call);
}

async function call(address: string, options: CallOptions): Promise<void> {
  const url = URL.canParse(address) ? new URL(address) : null;
  const request = {
    service: options.service,
    inputs: options.input.map(parseInput),
    outputs: options.output.map(parseOutput),
    params: new Map(options.param.map(parseParam)),
    timeoutMs: options.timeout,
  };
  if (url?.protocol === 'http:' || url?.protocol === 'https:') print(await callHttp(url, request), options.save);
  else if (url?.protocol === 'grpc:') print(await callGrpc(url.host, request), options.save);
  else throw new UsageError(`${address}: expected an address that starts with grpc:// or http://`);
}

function print(answer: Answer, save: string | undefined): void {
  for (const { name, type, data } of answer.payloads) {
    if (save !== undefined) {
      const file = join(save, name.replaceAll(/[^\w.-]/g, '_'));
      writeFileSync(file, data);
      process.stdout.write(`${name}: ${data.length} bytes (${type}) written to ${file}\n`);
    } else if (type === 'text') process.stdout.write(`${name}: ${data.toString('utf8')}\n`);
    else process.stdout.write(`${name}: ${data.length} bytes (${type}); --save writes them to a file\n`);
  }
}
