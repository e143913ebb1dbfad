/** Where one request goes. */
export interface Target {
  readonly secure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Host and port as the Host header has them. */
  readonly authority: string;
  /** Path and query as they are sent. */
  readonly path: string;
}

/** Why a URL is no target; `reason` does not repeat the URL. */
export interface Unusable {
  readonly reason: string;
}

/** Reads an absolute URL, or with `base` what a Location header says. */
export function parseTarget(text: string, base?: Target): Target | Unusable {
  const start = base === undefined ? undefined : `${base.secure ? 'https' : 'http'}://${base.authority}${base.path}`;
  // Checked first, because the error that the constructor throws holds the whole URL.
  if (!URL.canParse(text, start)) return { reason: 'it is not a URL' };
  const url = new URL(text, start);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return { reason: 'it is neither http nor https' };
  if (url.username !== '' || url.password !== '') return { reason: 'it holds credentials' };
  const secure = url.protocol === 'https:';
  return {
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    authority: url.host,
    path: url.pathname + url.search,
  };
}
