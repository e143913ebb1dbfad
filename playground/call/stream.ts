import { parseJson } from '../json.js';
import { type Answer, readResult } from '../wire/answer.js';
import { binaryProtocol, packFrame, unpackFrame } from '../wire/frames.js';
import { type Cutting, packets } from '../wire/packets.js';
import { type Draft, streamHead } from '../wire/request.js';

export interface StreamOptions extends Cutting {
  /** How fast data leaves; null for as fast as the loader takes it. */
  readonly bytesPerSecond: number | null;
}

/** Told what happens, in order. Times are milliseconds since the stream was asked for. */
export interface StreamWatcher {
  onOpen(): void;
  onSent(frames: number, bytes: number): void;
  /** All input is on its way. */
  onInputEnd(): void;
  /** The stream is accepted, or has a result, or has failed: see its code. */
  onAnswer(answer: Answer, atMs: number): void;
}

export type StreamEnd =
  { readonly kind: 'done' } | { readonly kind: 'stopped' } | { readonly kind: 'failed'; readonly reason: string };

/** Bytes that the browser may hold because the loader takes no more yet. */
const mostBuffered = 1 << 20;
const bufferCheckMs = 10;

/** Streams the inputs of a request over a WebSocket. Resolves when the stream is over; never rejects. */
export async function callStream(
  draft: Draft,
  options: StreamOptions,
  watcher: StreamWatcher,
  signal: AbortSignal,
): Promise<StreamEnd> {
  const start = performance.now();
  const socket = new WebSocket(draft.url.replace(/^http/, 'ws'), binaryProtocol);
  socket.binaryType = 'arraybuffer';
  const over = new AbortController();
  let ended = false;

  const end = new Promise<StreamEnd>((resolve) => {
    const settle = (how: StreamEnd): void => {
      over.abort();
      socket.close();
      resolve(how);
    };
    let opened = false;
    let failed = false;
    const on = { signal: over.signal };
    signal.addEventListener(
      'abort',
      () => {
        settle({ kind: 'stopped' });
      },
      on,
    );
    socket.addEventListener(
      'open',
      () => {
        opened = true;
        watcher.onOpen();
        send(socket, draft, options, watcher, over.signal).catch((error: unknown) => {
          if (!over.signal.aborted) settle({ kind: 'failed', reason: messageOf(error) });
        });
      },
      on,
    );
    socket.addEventListener(
      'message',
      ({ data }: MessageEvent<string | ArrayBuffer>) => {
        try {
          const answer = readMessage(data);
          failed ||= answer.code !== 0;
          ended ||= answer.status === 2 || answer.status === 3;
          watcher.onAnswer(answer, performance.now() - start);
        } catch (error) {
          settle({ kind: 'failed', reason: messageOf(error) });
        }
      },
      on,
    );
    socket.addEventListener(
      'close',
      ({ code, reason }) => {
        if (failed) settle({ kind: 'failed', reason: '' });
        else if (ended && code === 1000) settle({ kind: 'done' });
        else settle({ kind: 'failed', reason: closing(opened, code, reason) });
      },
      on,
    );
    if (signal.aborted) settle({ kind: 'stopped' });
  });
  return await end;
}

function readMessage(data: string | ArrayBuffer): Answer {
  if (typeof data === 'string') return readResult(parseJson(data), null);
  const { document, bytes } = unpackFrame(data);
  return readResult(document, bytes);
}

async function send(
  socket: WebSocket,
  draft: Draft,
  options: StreamOptions,
  watcher: StreamWatcher,
  over: AbortSignal,
): Promise<void> {
  const start = performance.now();
  let head = streamHead(draft);
  let frames = 0;
  let bytes = 0;
  // Parameters alone are a request as well.
  if (draft.inputs.length === 0) socket.send(packFrame(head, []));
  for await (const { payload, data, size } of packets(draft.inputs, options)) {
    while (socket.bufferedAmount > mostBuffered) await delay(bufferCheckMs, over);
    over.throwIfAborted();
    socket.send(packFrame({ ...head, payload }, data));
    head = {};
    frames += 1;
    bytes += size;
    watcher.onSent(frames, bytes);
    if (options.bytesPerSecond !== null) {
      const due = start + (bytes / options.bytesPerSecond) * 1000;
      await delay(due - performance.now(), over);
    }
  }
  watcher.onInputEnd();
}

/** Resolves after some milliseconds, or rejects as soon as the stream is over. */
async function delay(ms: number, over: AbortSignal): Promise<void> {
  over.throwIfAborted();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      over.removeEventListener('abort', done);
      resolve();
    }
    over.addEventListener('abort', done);
  });
  over.throwIfAborted();
}

function closing(opened: boolean, code: number, reason: string): string {
  if (!opened) return 'the connection was refused';
  return `the connection was closed before the last result (${String(code)}${reason === '' ? '' : `: ${reason}`})`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
