import { createGrpcJsServer } from './grpcjs.js';
import type { GrpcServer } from './server.js';
import { createWireServer, type WireServerOptions } from './wire.js';
import { loadWireAddon, type WireAddon } from './wire-addon.js';

export interface GrpcServerOptions {
  readonly server: 'wire' | 'grpc-js';
  readonly maxReceiveBytes: number;
  readonly maxSendBytes: number;
  /** What only the wire offers. */
  readonly wire: Omit<WireServerOptions, 'maxReceiveBytes' | 'maxSendBytes'>;
}

/**
 * Makes the server that the configuration asks for, or the one that can run.
 * @param warn told once, when that is another one
 */
export function createGrpcServer(
  options: GrpcServerOptions,
  warn: (text: string) => void,
  loadAddon: () => WireAddon = loadWireAddon,
): GrpcServer {
  const { server, maxReceiveBytes, maxSendBytes } = options;
  const limits = { maxReceiveBytes, maxSendBytes };
  if (server === 'grpc-js') return createGrpcJsServer(limits);
  try {
    const addon = loadAddon();
    const obstacle = addon.wireUnavailable(process.versions['nghttp2'] ?? '');
    if (obstacle === null) return createWireServer(addon, { ...options.wire, ...limits });
    warn(insteadOfWire(obstacle));
  } catch (error) {
    warn(insteadOfWire((error as Error).message));
  }
  return createGrpcJsServer(limits);
}

function insteadOfWire(reason: string): string {
  return `[grpc].server = "wire" cannot run here, "grpc-js" takes its place: ${reason}`;
}
