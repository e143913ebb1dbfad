/** One end of a TCP connection, or where to listen. */
export interface Address {
  /** IP address or host name. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 address, as URLs and people write it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
