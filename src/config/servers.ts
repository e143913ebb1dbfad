import { type Address, formatAddress } from '../core/address.js';
import { collide } from './address.js';
import type { GrpcConfig, HttpConfig, WireConfig, WsConfig } from './config.js';
import type { Plan } from './plan.js';
import type { Key } from './key.js';
import { schema } from './schema.js';
import { formatSize, MiB } from './units.js';

const { keys } = schema.service;

export function buildGrpc(plan: Plan): GrpcConfig {
  const { settings } = plan;
  const host = settings.get(keys.host) ?? findInterface(plan);
  const msPerCall = settings.get(keys.rate);
  return {
    host: host ?? '127.0.0.1',
    port: settings.get(keys.port),
    advertise: settings.get(keys.advertise),
    maxReceiveBytes: settings.get(keys.maxreceive),
    maxSendBytes: settings.get(keys.maxsend),
    rateLimit: msPerCall === 0 ? null : { msPerCall, burst: settings.get(keys.burst) },
    hostConfigured: host !== null,
    server: settings.get(schema.grpc.keys.server),
    unix: settings.get(schema.grpc.keys.unix) || null,
    wire: buildWire(plan),
  };
}

function buildWire(plan: Plan): WireConfig {
  const { settings } = plan;
  const grpc = schema.grpc.keys;
  const longest = settings.get(keys.maxreceive);
  const message = { key: 'maxreceive', bytes: longest };
  return {
    reusePort: settings.get(keys.reuseport) !== 0,
    connectionMemory: memoryFor(plan, grpc.connectionMemory, Math.max(256 * MiB, 2 * longest), message),
    totalMemory: memoryFor(plan, grpc.memory, Math.max(1024 * MiB, 4 * longest), message),
    streamWindow: settings.get(grpc.streamWindow),
    connectionWindow: settings.get(grpc.connectionWindow),
    maxConnections: settings.get(grpc.maxConnections),
    maxStreams: settings.get(grpc.maxStreams),
    handshakeTimeoutMs: settings.get(keys.grpctimeout) * 1000,
    idleTimeoutMs: settings.get(grpc.idleTimeout),
    maxAgeMs: settings.get(grpc.maxAge),
    maxAgeGraceMs: settings.get(grpc.maxAgeGrace),
    leaseTimeMs: settings.get(schema.limits.keys.leaseTime),
    keepaliveIntervalMs: settings.get(grpc.keepalive),
    keepaliveTimeoutMs: settings.get(grpc.keepaliveTimeout),
  };
}

export function buildHttp(plan: Plan): HttpConfig | null {
  const { settings } = plan;
  const http = schema.http.keys;
  const address = chooseListener(plan);
  if (address === null) return null;
  const maxBodyBytes = settings.get(http.maxBody);
  return {
    ...address,
    maxBodyBytes,
    memoryBytes: memoryFor(plan, http.memory, Math.max(1024 * MiB, 4 * maxBodyBytes), {
      key: 'maxBody',
      bytes: maxBodyBytes,
    }),
    unknownFields: settings.get(http.unknownFields),
    ui: settings.get(http.ui),
    cors: settings.get(http.cors),
    legacyErrors: settings.get(http.legacyErrors),
    maxConnections: settings.get(http.connections),
    headersTimeoutMs: settings.get(http.headersTimeout),
    bodyTimeoutMs: settings.get(http.bodyTimeout),
    sendTimeoutMs: settings.get(http.sendTimeout),
    keepAliveMs: settings.get(http.keepAlive),
  };
}

export function buildWs({ settings }: Plan): WsConfig {
  const ws = schema.ws.keys;
  return {
    idleTimeoutMs: settings.get(ws.readTimeout) * 1000,
    sessionTimeoutMs: settings.get(ws.sessionTimeout) * 1000,
    pingMs: settings.get(ws.ping),
    maxFrame: settings.get(ws.maxFrame),
    // A stream refuses what is more than its own limit.
    maxFrames: Math.min(settings.get(ws.frames), settings.get(schema.limits.keys.packets)),
    maxFrameBytes: settings.get(ws.frameBytes),
    maxUnsentBytes: settings.get(ws.sendBuffer),
    maxConnections: settings.get(ws.maxConnections),
    origins: settings.get(ws.origins),
  };
}

/** What exceeds the memory for it could never be received. */
function memoryFor(
  { settings, report }: Plan,
  key: Key<number | null>,
  fallback: number,
  longest: { readonly key: string; readonly bytes: number },
): number {
  const memory = settings.get(key) ?? fallback;
  if (memory < longest.bytes) {
    report.fault(
      settings.where(key),
      `${formatSize(memory)} is less than ${longest.key}, ${formatSize(longest.bytes)}; choose at least that`,
    );
  }
  return memory;
}

/** Both servers at one address would fail only when the second one starts. */
export function refuseCollision({ settings, report }: Plan, grpc: Address, http: Address | null): void {
  if (http === null || !collide(grpc, http)) return;
  const { listen } = schema.http.keys;
  const legacy = schema.wrapper.keys.http_listen;
  const key = !settings.has(listen) && settings.has(legacy) ? legacy : listen;
  report.fault(
    settings.where(key),
    `${formatAddress(http)} meets the gRPC address ${formatAddress(grpc)}; choose another port`,
  );
}

function findInterface({ settings, surroundings, report }: Plan): string | null {
  const name = settings.get(keys.netcard)?.trim() ?? '';
  if (name === '') return null;
  const addresses = Object.hasOwn(surroundings.interfaces, name) ? (surroundings.interfaces[name] ?? []) : [];
  const address = addresses.find(({ family }) => family === 'IPv4')?.address;
  if (address !== undefined) return address;
  const known = Object.keys(surroundings.interfaces).join(', ');
  report.fault(
    settings.where(keys.netcard),
    `expected a network interface with an IPv4 address but found ${JSON.stringify(name)}; this machine has ${known}`,
  );
  return null;
}

function chooseListener({ settings, report }: Plan): Address | null {
  const { listen } = schema.http.keys;
  const legacy = schema.wrapper.keys.http_listen;
  const address = settings.get(listen);
  if (!settings.has(legacy)) return address;
  const old = settings.get(legacy);
  if (!settings.has(listen)) return old;
  if (listen.kind.show(address) !== listen.kind.show(old)) {
    report.warn(
      settings.where(legacy),
      `ignored, because [http].listen is set to ${listen.kind.show(address)}; remove it`,
    );
  }
  return address;
}
