import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { codeOf, connectionFailure } from './failure.js';
import type { Located } from './guard.js';
import type { Target } from './target.js';

export type Headers = Readonly<Record<string, string>>;

const idleMs = 15_000;
const maxIdle = 16;

/** Open connections, kept for the next request to the same host. */
export class Connections {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  /** @param ca certificates (PEM) to trust instead of Node's own */
  constructor(ca: string | null) {
    // No limit on connections in use: a request that waits in an agent's queue does not notice its signal.
    const pool = { keepAlive: true, maxFreeSockets: maxIdle, timeout: idleMs };
    this.#http = new HttpAgent(pool);
    this.#https = new HttpsAgent(ca === null ? pool : { ...pool, ca });
  }

  /**
   * Sends one GET to one of the given addresses and resolves with the head of the answer.
   * The caller reads the body or destroys the answer.
   */
  async get(
    target: Target,
    addresses: readonly Located[],
    headers: Headers,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const options: RequestOptions = {
      agent: target.secure ? this.#https : this.#http,
      host: target.host,
      port: target.port,
      path: target.path,
      lookup: fixedLookup(addresses),
      headers: { ...headers, host: target.authority, accept: '*/*', 'accept-encoding': 'identity' },
      signal,
    };
    for (;;) {
      const sent = await send(target.secure, options);
      if ('answer' in sent) return sent.answer;
      signal.throwIfAborted();
      // The server has closed an idle connection just when it was used again; that says nothing about the server.
      if (!sent.reused || (codeOf(sent.error) !== 'ECONNRESET' && codeOf(sent.error) !== 'EPIPE')) {
        throw connectionFailure(sent.error, target.authority);
      }
    }
  }

  /** Closes every connection. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

type Sent = { readonly answer: IncomingMessage } | { readonly error: Error; readonly reused: boolean };

function send(secure: boolean, options: RequestOptions): Promise<Sent> {
  return new Promise((resolve) => {
    const request = (secure ? httpsRequest : httpRequest)(options);
    request.on('response', (answer) => {
      resolve({ answer });
    });
    request.on('error', (error) => {
      resolve({ error, reused: request.reusedSocket });
    });
    // Comes last, and alone when the server answers with an upgrade.
    request.on('close', () => {
      const error = Object.assign(new Error('closed without an answer'), { code: 'ECONNRESET' });
      resolve({ error, reused: request.reusedSocket });
    });
    request.end();
  });
}

/** Answers with the addresses that were checked, whatever the name resolves to by now. */
function fixedLookup(addresses: readonly Located[]): LookupFunction {
  return (_name, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else if (first !== undefined) callback(null, first.address, first.family);
  };
}
