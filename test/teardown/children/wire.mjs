/**
 * A server of the native wire in a process or a worker that ends: wire.mjs HOW
 *   opened      without ever listening
 *   stopped     after it was stopped
 *   exit        by process.exit in the middle of calls whose replies are half written
 *   terminated  the worker that it lives in is terminated in the middle of such calls, again and again
 */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { addon } from './addon.mjs';

const how = process.argv[2];

if (!isMainThread) {
  parentPort.postMessage(serve().port);
} else if (how === 'opened') {
  open(() => undefined);
  console.log('ok');
} else if (how === 'stopped') {
  const { server, port } = serve();
  await load(port);
  await addon.wireStop(server);
  const { connections, calls, tokens } = addon.wireStats(server);
  console.log(JSON.stringify({ connections, calls, tokens }));
} else if (how === 'exit') {
  await load(serve().port);
  console.log('exiting');
  process.exit(7);
} else {
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(new URL(import.meta.url), { argv: ['worker'] });
    const [port] = await once(worker, 'message');
    const session = await load(port);
    // Nothing but the connection keeps this process once the worker has ended.
    session.ref();
    // Not once(): the connection may be reset on the way, which that takes for a failure.
    const closed = new Promise((resolve) => session.once('close', resolve));
    await worker.terminate();
    await closed;
  }
  console.log('ok');
}

function open(deliver) {
  const MiB = 1 << 20;
  const options = {
    maxReceiveBytes: MiB,
    maxSendBytes: 64 * MiB,
    streamWindow: MiB,
    connectionWindow: MiB,
    connectionMemory: 1024 * MiB,
    totalMemory: 2048 * MiB,
    maxConnections: 100,
    maxStreams: 100,
    handshakeTimeoutMs: 10_000,
    idleTimeoutMs: 0,
    maxAgeMs: 0,
    maxAgeGraceMs: 0,
    leaseTimeMs: 1000,
    keepaliveIntervalMs: 0,
    keepaliveTimeoutMs: 20_000,
  };
  return addon.wireOpen(process.versions.nghttp2, options, ['/a.B/c'], [false], deliver);
}

/** Answers every call with 8 MiB of memory that belongs to JavaScript. */
function serve() {
  const lent = new Map();
  const server = open((events, count) => {
    // As src/transports/grpc/wire-addon.ts has them: ten numbers an event, six a command.
    for (let i = 0; i < count; i++) {
      const [kind, call, subject] = events.subarray(i * 10);
      if (kind === 4) lent.delete(subject);
      if (kind !== 0) continue;
      const chunk = new Uint8Array(8 << 20);
      lent.set(call, chunk);
      addon.wireSubmit(server, Float64Array.of(3, call, call, 0, 1, 0), 1, new Uint8Array(0), [chunk]);
    }
  });
  return { server, port: addon.wireListen(server, '127.0.0.1', 0, false) };
}

/** Makes calls and reads of each answer no more than its beginning. */
async function load(port) {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  session.unref();
  const streams = Array.from({ length: 20 }, () => {
    const stream = session.request({ ':method': 'POST', ':path': '/a.B/c', 'content-type': 'application/grpc' });
    stream.on('error', () => undefined);
    stream.end(Buffer.alloc(5));
    return stream;
  });
  await Promise.all(streams.map((stream) => once(stream, 'response')));
  return session;
}
