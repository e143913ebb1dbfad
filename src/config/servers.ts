import { type Address, formatAddress } from '../core/address.js';
import { collide } from './address.js';
import type { GrpcConfig, HttpConfig } from './config.js';
import type { Plan } from './plan.js';
import { schema } from './schema.js';

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
  };
}

export function buildHttp(plan: Plan): HttpConfig | null {
  const address = chooseListener(plan);
  return address === null ? null : { ...address, maxBodyBytes: plan.settings.get(schema.http.keys.maxBody) };
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
