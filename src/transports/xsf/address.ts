import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { Address } from '../../core/address.js';

export interface Advertising {
  /** "ip:port" from the configuration, which wins over everything. */
  readonly advertise: string | null;
  /** The configured listen address; a wildcard says nothing about how to reach us. */
  readonly host: string;
}

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

/**
 * The IPv4 address that goes into handles and PeerAddr. Clients dial it, so it must be one that reaches us.
 * @param local our end of the client's connection
 */
export function advertisedAddress(
  { advertise, host }: Advertising,
  local: Address,
  interfaces: () => Interfaces = networkInterfaces,
): Address {
  if (advertise !== null) {
    const colon = advertise.lastIndexOf(':');
    return { host: advertise.slice(0, colon), port: Number(advertise.slice(colon + 1)) };
  }
  const candidates = [host, local.host].map(asIPv4).filter((ip) => ip !== null && ip !== '0.0.0.0');
  return { host: candidates[0] ?? firstIPv4(interfaces()) ?? '127.0.0.1', port: local.port };
}

function asIPv4(host: string): string | null {
  const mapped = host.replace(/^::ffff:/i, '');
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(mapped) ? mapped : null;
}

function firstIPv4(interfaces: Interfaces): string | null {
  const addresses = Object.values(interfaces).flatMap((list) => list ?? []);
  return addresses.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? null;
}
