import { AigesError } from '../core/errors.js';
import type { Frame } from '../core/frame.js';
import { AllowList } from './allow-list.js';
import { Budget } from './body.js';
import { Connections } from './connections.js';
import { Downloader, type DownloadLimits, type Source } from './download.js';
import { invalidUrl, refused } from './failure.js';
import { Guard, type Lookup } from './guard.js';
import { s3Source } from './s3.js';
import { openScope } from './scope.js';
import { parseTarget } from './target.js';

export interface DataSourceOptions extends DownloadLimits {
  /** Places that data may come from, as {@link AllowList} reads them. Empty: remote data is off. */
  readonly allow: readonly string[];
  /** Bytes that all downloads for one request may have together. */
  readonly maxTotalBytes: number;
  /** Downloads for one request at the same time. */
  readonly parallel: number;
  /** Certificates (PEM) to trust instead of Node's own. */
  readonly ca: string | null;
}

/** Replaces frames that say where their bytes lie by frames that hold them. */
export interface DataSource {
  /**
   * Frames in the order they came in; the same array when all of them hold their bytes already.
   * @throws AigesError `invalidInput`, or the signal's reason as soon as it aborts
   */
  resolve(frames: readonly Frame[], signal: AbortSignal): Promise<readonly Frame[]>;
  /** Closes the connections, those in use included. */
  close(): void;
}

export const defaultOptions: DataSourceOptions = {
  allow: [],
  retries: 1,
  timeoutMs: 30_000,
  maxBytes: 64 * 2 ** 20,
  maxTotalBytes: 256 * 2 ** 20,
  maxRedirects: 3,
  parallel: 4,
  ca: null,
};

/**
 * @param lookup resolves names in place of the system
 * @throws RangeError that names the pattern of `allow` that makes no sense
 */
export function createDataSource(options: Partial<DataSourceOptions>, lookup?: Lookup): DataSource {
  return new RemoteData({ ...defaultOptions, ...options }, lookup);
}

/** Whether a frame says that its bytes lie elsewhere. */
export function isRemote(frame: Frame): boolean {
  const kind = frame.desc.get('dataSrc');
  return kind !== undefined && kind !== 'client';
}

class RemoteData implements DataSource {
  readonly #options: DataSourceOptions;
  readonly #allow: AllowList;
  readonly #connections: Connections;
  readonly #downloader: Downloader;

  constructor(options: DataSourceOptions, lookup?: Lookup) {
    this.#options = options;
    this.#allow = new AllowList(options.allow);
    this.#connections = new Connections(options.ca);
    this.#downloader = new Downloader(new Guard(this.#allow, lookup), this.#connections, options);
  }

  resolve(frames: readonly Frame[], signal: AbortSignal): Promise<readonly Frame[]> {
    return frames.some(isRemote) ? this.#fetchAll(frames, signal) : Promise.resolve(frames);
  }

  close(): void {
    this.#connections.close();
  }

  async #fetchAll(frames: readonly Frame[], signal: AbortSignal): Promise<readonly Frame[]> {
    signal.throwIfAborted();
    if (this.#allow.empty) throw refused('remote data is off: [data].allow is empty');
    // All are read before the first download: a request with a mistake in it costs no traffic.
    const sources = frames.map((frame) => (isRemote(frame) ? sourceOf(frame) : null));
    const budget = new Budget(this.#options.maxTotalBytes);
    const filled = [...frames];
    const scope = openScope(signal);
    const pending = frames.entries();
    const work = async (): Promise<void> => {
      for (const [index, frame] of pending) {
        const source = sources[index] ?? null;
        if (source === null) continue;
        const data = await this.#downloader.download(source, budget, scope.signal);
        filled[index] = { ...frame, data, desc: withoutCredentials(frame) };
      }
    };
    try {
      await Promise.all(
        Array.from({ length: this.#options.parallel }, () =>
          work().catch((error: unknown) => {
            // The first failure ends the other downloads, which then fail with the same.
            scope.abort(AigesError.from(error));
            scope.signal.throwIfAborted();
          }),
        ),
      );
      return filled;
    } finally {
      scope.close();
    }
  }
}

function sourceOf(frame: Frame): Source {
  const kind = frame.desc.get('dataSrc');
  if (kind === 'http') return httpSource(frame.desc.get('url') ?? '');
  if (kind === 's3') return s3Source(frame.desc);
  throw refused('dataSrc is neither client nor http nor s3');
}

function httpSource(url: string): Source {
  if (url === '') throw invalidUrl('the attribute url is empty');
  const target = parseTarget(url);
  if ('reason' in target) throw invalidUrl(`the attribute url cannot be used: ${target.reason}`);
  return { target, headers: () => ({}) };
}

/** Plugins log what they are given. */
function withoutCredentials(frame: Frame): Frame['desc'] {
  return new Map([...frame.desc].filter(([name]) => name !== 'access' && name !== 'secret'));
}
