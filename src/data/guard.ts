import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { parseAddress } from './address.js';
import type { AllowList } from './allow-list.js';
import { connectionFailure, refused } from './failure.js';
import type { Target } from './target.js';

export interface Located {
  readonly address: string;
  readonly family: number;
}

/** Gives all addresses of a name. */
export type Lookup = (name: string) => Promise<readonly Located[]>;

const everyAddress: Lookup = (name) => systemLookup(name, { all: true });

/** Decides where connections may go. */
export class Guard {
  readonly #allow: AllowList;
  readonly #lookup: Lookup;

  constructor(allow: AllowList, lookup: Lookup = everyAddress) {
    this.#allow = allow;
    this.#lookup = lookup;
  }

  /**
   * The addresses that a connection to the target may use. The name is resolved here and nowhere else: a second
   * look-up could give another answer than the one that was checked.
   * @throws AigesError when one of them is not allowed, or the signal's reason
   */
  async locate(target: Target, signal: AbortSignal): Promise<readonly Located[]> {
    const { host, port, authority } = target;
    if (!this.#allow.mayAllow(host, port)) throw unlisted(authority);
    const family = isIP(host);
    const found = family === 0 ? await this.#resolve(target, signal) : [{ address: host, family }];
    for (const { address } of found) {
      const parsed = parseAddress(address);
      const refusal = parsed === null ? 'reserved' : this.#allow.refusal(host, port, parsed);
      if (refusal === 'unlisted') throw unlisted(authority);
      // One bad address among good ones is refused too: no honest name has both.
      if (refusal !== null) {
        throw refused(
          `the address of ${authority} is ${refusal}; [data].allow must list it or its range`,
          new Error(`${authority} is at ${address}`),
        );
      }
    }
    return found;
  }

  async #resolve(target: Target, signal: AbortSignal): Promise<readonly Located[]> {
    try {
      const found = await abortable(this.#lookup(target.host), signal);
      if (found.length === 0) throw Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' });
      return found;
    } catch (error) {
      signal.throwIfAborted();
      throw connectionFailure(error, target.authority);
    }
  }
}

function unlisted(authority: string): Error {
  return refused(`${authority} is not in [data].allow`);
}

/** The resolver cannot be stopped; whoever waits for it can leave. */
function abortable<T>(running: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new Error('aborted'));
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    running.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
