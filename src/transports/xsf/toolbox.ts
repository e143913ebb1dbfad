import { userInfo } from 'node:os';
import protobuf from 'protobufjs/minimal.js';
import { GrpcError, type GrpcServer, GrpcStatus } from '../grpc/server.js';
import { malformedEnvelope } from './status.js';

export interface ToolboxOptions {
  /** Whether calls are taken. */
  readonly ready: () => boolean;
  /** The text of the metrics; `null` when they are off. */
  readonly metrics: ((options: { readonly milliseconds: boolean }) => Promise<string>) | null;
}

const metricsOff = '# metrics are off; write able = 1 into [metrics] to turn them on\n';

/** Serves `/utils.ToolBox/cmdserver`: how the tier's tools look at a running server. */
export function serveToolbox(server: GrpcServer, options: ToolboxOptions): void {
  const startedAt = performance.now();
  server.unary('/utils.ToolBox/cmdserver', async (call) => {
    const body = await answer(decodeRequest(call.message.bytes), options, startedAt);
    const writer = protobuf.Writer.create();
    if (body !== '') writer.uint32((2 << 3) | 2).string(body);
    return { chunks: [writer.finish()] };
  });
}

interface CommandRequest {
  readonly query: string;
  readonly headers: string;
}

function decodeRequest(bytes: Uint8Array): CommandRequest {
  const texts = ['', '', ''];
  try {
    const reader = protobuf.Reader.create(bytes);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const field = tag >>> 3;
      if ((tag & 7) === 2 && field >= 1 && field <= 3) texts[field - 1] = Buffer.from(reader.bytes()).toString();
      else reader.skipType(tag & 7);
    }
  } catch (error) {
    throw malformedEnvelope(error);
  }
  const [query = '', headers = ''] = texts;
  return { query, headers };
}

async function answer({ query, headers }: CommandRequest, options: ToolboxOptions, startedAt: number): Promise<string> {
  const method = parseStrings(headers, 'headers').get('method') ?? '';
  if (method.toUpperCase() !== 'GET') throw new GrpcError(GrpcStatus.unknown, "don't support the method");
  const asked = parseStrings(query, 'query');
  switch (asked.get('cmd')) {
    case 'health':
      return health(options);
    case 'status':
      return [
        `pid: ${process.pid}`,
        `user: ${userName()}`,
        `uptime: ${Math.floor((performance.now() - startedAt) / 1000)}s`,
        '',
      ].join('\n');
    case 'metrics':
      return options.metrics === null
        ? metricsOff
        : await options.metrics({ milliseconds: asked.get('timeUnit') === 'ms' });
    case 'query':
      return 'query method not defined';
    case undefined:
    default:
      return "don't support the cmd";
  }
}

/**
 * Checkers of the tier take a server for healthy when this does not hold "err", in any case: so it holds no names. The line
 * is spelt as they know it.
 */
function health({ ready }: ToolboxOptions): string {
  return ready() ? 'health staus:\n' : 'report error';
}

/** In containers the process often runs as a user that only has a number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

function parseStrings(text: string, what: string): ReadonlyMap<string, string> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return new Map(Object.entries(value).map(([key, member]) => [key, String(member)]));
    }
  } catch {
    // Answered below, like any other text that is no object.
  }
  throw new GrpcError(
    GrpcStatus.unknown,
    `${what}: expected a JSON object of strings but received ${JSON.stringify(text.slice(0, 80))}`,
  );
}
