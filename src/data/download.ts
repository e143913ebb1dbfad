import { setTimeout as sleep } from 'node:timers/promises';
import { type Budget, readBody } from './body.js';
import type { Connections, Headers } from './connections.js';
import { failed, Transient } from './failure.js';
import type { Guard } from './guard.js';
import { openScope } from './scope.js';
import { parseTarget, type Target } from './target.js';

/** What to fetch. */
export interface Source {
  readonly target: Target;
  /** Headers for the first place only: they may hold a signature. Asked for on every attempt. */
  readonly headers: () => Headers;
}

export interface DownloadLimits {
  /** Attempts in all. */
  readonly retries: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxRedirects: number;
}

/** setTimeout fires at once for anything longer. */
const longestTimer = 2 ** 31 - 1;
const firstPauseMs = 50;
const longestPauseMs = 1000;
const redirects = new Set([301, 302, 303, 307, 308]);

/** Fetches bytes from places that the guard allows. */
export class Downloader {
  readonly #guard: Guard;
  readonly #connections: Connections;
  readonly #limits: DownloadLimits;

  constructor(guard: Guard, connections: Connections, limits: DownloadLimits) {
    this.#guard = guard;
    this.#connections = connections;
    this.#limits = limits;
  }

  /** @throws AigesError, or the signal's reason as soon as it aborts */
  async download(source: Source, budget: Budget, parent: AbortSignal): Promise<Uint8Array> {
    const { timeoutMs } = this.#limits;
    const scope = openScope(parent);
    const expire = (): void => {
      scope.abort(failed(`no end within ${timeoutMs} ms`, source.target.authority));
    };
    const timer = setTimeout(expire, Math.min(timeoutMs, longestTimer));
    try {
      return await this.#attempts(source, budget, scope.signal);
    } catch (error) {
      scope.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      scope.close();
    }
  }

  async #attempts(source: Source, budget: Budget, signal: AbortSignal): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#follow(source, budget, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Transient)) throw error;
        if (attempt >= this.#limits.retries) throw error.failure;
      }
      await sleep(Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs), undefined, { signal });
    }
  }

  /** One attempt, through all redirects. */
  async #follow(source: Source, budget: Budget, signal: AbortSignal): Promise<Uint8Array> {
    let target = source.target;
    for (let hop = 0; ; hop++) {
      const addresses = await this.#guard.locate(target, signal);
      const response = await this.#connections.get(target, addresses, hop === 0 ? source.headers() : {}, signal);
      const status = response.statusCode ?? 0;
      const { authority } = target;
      if (status === 200) {
        return await readBody(response, authority, { max: this.#limits.maxBytes, budget }, signal);
      }
      // Its body could be endless and is of no use.
      response.destroy();
      const { location } = response.headers;
      if (!redirects.has(status) || location === undefined) {
        const failure = failed(`status ${status}`, authority);
        throw status >= 500 ? new Transient(failure) : failure;
      }
      if (hop >= this.#limits.maxRedirects) throw failed(`more than ${this.#limits.maxRedirects} redirects`, authority);
      const next = parseTarget(location, target);
      if ('reason' in next) throw failed('invalid redirect', authority, new Error(next.reason));
      target = next;
    }
  }
}
