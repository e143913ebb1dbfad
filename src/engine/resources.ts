import { AigesError } from '../core/errors.js';
import type { PluginRuntime } from '../core/runtime.js';
import type { Signal } from '../core/signal.js';
import { Admission } from './admission.js';
import { untilAborted } from './deadline.js';
import type { Input, Prepare } from './input.js';
import { Watchers } from './watchers.js';

export interface ResourcesOptions {
  readonly runtime: Pick<PluginRuntime, 'loadResource' | 'resourceUnused' | 'unloadResource'>;
  /** Makes the content complete before the plugin gets it. */
  readonly prepare: Prepare;
  /** Resources that may be loaded at the same time. */
  readonly max: number;
}

/** What a call holds of the resources that it names: they stay as they are until it lets go. */
export interface Use {
  /** Idempotent. */
  release(): void;
}

/** Ids are unsigned 32-bit numbers; 0 means "none" to engines. */
const largestId = 2 ** 32 - 1;

/** Operations inside the plugin at the same time: they need no licence, and must not take the threads of calls that do. */
const atOnce = 4;

/** Operations that have not ended: those that wait hold their content in memory. */
const mostPending = 256;

/**
 * The personalised resources of one plugin: which are loaded, who uses them, whose turn it is to change one. Operations
 * on one id take turns in the order in which they were asked for, and wait until no call uses the resource. What
 * has begun in the plugin cannot be taken back: its outcome counts, also when nobody waits for it any more.
 */
export class Resources {
  readonly #options: ResourcesOptions;
  /** Every id that is loaded or has an operation under way. */
  readonly #slots = new Map<number, Slot>();
  readonly #inside = new Admission({ permits: atOnce, queue: Infinity });
  #pending = 0;
  #lastId = 0;

  constructor(options: ResourcesOptions) {
    this.#options = options;
  }

  /** Operations that plugin code has not returned from. */
  get running(): number {
    return this.#inside.running;
  }

  /**
   * Loads a resource.
   * @param given the id that the client wants; null takes a free one. A resource with an id that nobody has been told
   *   by the time it is loaded is unloaded again
   * @param input released once, when the plugin has returned
   * @returns the id
   * @throws AigesError `alreadyLoaded` when it is loaded or about to be, `loadFailed`, or the signal's reason
   */
  load(given: number | null, input: Input, signal: Signal): Promise<number> {
    return this.#answer(input, signal, async () => {
      const id = given ?? this.#freeId();
      const slot = this.#slots.get(id);
      if (slot?.coming === true) throw alreadyLoaded(id);
      if (slot === undefined && this.#slots.size >= this.#options.max) {
        throw new AigesError('loadFailed', {
          message: `${this.#slots.size} resources are loaded, [limits].resources allows no more`,
        });
      }
      return this.#inTurn(id, 'load', signal, async (mine) => {
        // An unload before it may have failed.
        if (mine.loaded) throw alreadyLoaded(id);
        const frames = await this.#options.prepare(input.frames, signal);
        await this.#enter(signal, async () => {
          await this.#options.runtime.loadResource(id, frames, signal);
          mine.loaded = true;
          if (given === null && signal.aborted) await this.#unload(id, mine, signal);
        });
        return id;
      });
    });
  }

  /**
   * Unloads a resource, once no call uses it. From now on new calls that name it are refused.
   * @throws AigesError `unloadFailed`, also for an id that is not loaded, or the signal's reason
   */
  unload(id: number, signal: Signal): Promise<void> {
    return this.#answer(null, signal, () => {
      if (this.#slots.get(id)?.coming !== true) throw notLoaded(id);
      return this.#inTurn(id, 'unload', signal, async (mine) => {
        // A load before it may have failed.
        if (!mine.loaded) throw notLoaded(id);
        await this.#unused(id, mine, signal);
        await this.#enter(signal, () => this.#unload(id, mine, signal));
      });
    });
  }

  /**
   * Puts new content in the place of a resource, once no call uses it. From now on new calls that name it wait for
   * that. When the plugin refuses the new content, the resource is gone.
   * @param input released once, when the plugin has returned
   * @throws AigesError `unloadFailed` and nothing has changed, `loadFailed`, or the signal's reason
   */
  replace(id: number, input: Input, signal: Signal): Promise<void> {
    return this.#answer(input, signal, () => {
      if (this.#slots.get(id)?.coming !== true) throw notLoaded(id);
      return this.#inTurn(id, 'replace', signal, async (mine) => {
        if (!mine.loaded) throw notLoaded(id);
        const frames = await this.#options.prepare(input.frames, signal);
        await this.#unused(id, mine, signal);
        await this.#enter(signal, async () => {
          await this.#unload(id, mine, signal);
          await this.#options.runtime.loadResource(id, frames, signal);
          mine.loaded = true;
        });
      });
    });
  }

  /**
   * Checks ids that a call names.
   * @throws AigesError `invalidInput` for one that is not loaded, or is about to be unloaded
   */
  check(ids: readonly number[]): void {
    this.#replaced(ids);
  }

  /**
   * Holds resources for a call, all of them or none.
   * @param ids each once
   * @throws AigesError `invalidInput` as `check`, or the signal's reason when it aborts before new content is there
   */
  async use(ids: readonly number[], signal: Signal): Promise<Use> {
    // None is held while another one is awaited: two calls and two replacements would wait for each other.
    for (;;) {
      const slot = this.#replaced(ids);
      if (slot === null) break;
      await slot.watchers.until(() => !slot.replacing, signal);
    }
    const slots = ids.map((id) => this.#slots.get(id)).filter((slot) => slot !== undefined);
    for (const slot of slots) slot.users++;
    return {
      release: () => {
        for (const slot of slots.splice(0)) slot.leftByUser();
      },
    };
  }

  /** Refuses operations from now on, also those whose turn has not come. */
  close(): void {
    this.#inside.close();
  }

  /** Resolves when plugin code has returned from the last operation. Only meaningful after `close()`. */
  idle(): Promise<void> {
    return this.#inside.idle();
  }

  /**
   * Unloads everything, after the last operation and the last call, but what a call that was given up still uses.
   * @returns why a resource was not unloaded
   */
  async unloadAll(): Promise<readonly AigesError[]> {
    const failures: AigesError[] = [];
    const slots = this.#slots.entries();
    const unloadRest = async (): Promise<void> => {
      for (const [id, slot] of slots) {
        if (!slot.loaded) continue;
        try {
          await this.#options.runtime.resourceUnused(id, AbortSignal.abort(stillUsed(id)));
          await this.#unload(id, slot);
        } catch (error) {
          failures.push(AigesError.from(error));
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, unloadRest));
    this.#slots.clear();
    return failures;
  }

  /**
   * Begins an operation, and waits for it no longer than its client does.
   * @throws AigesError `shuttingDown`, or `noLicense` when too many are under way
   */
  async #answer<T>(input: Input | null, signal: Signal, work: () => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      this.#pending++;
      try {
        signal.throwIfAborted();
        if (this.#inside.closed) throw new AigesError('shuttingDown');
        if (this.#pending > mostPending) {
          throw new AigesError('noLicense', { message: `${mostPending} operations on resources are under way` });
        }
        return await work();
      } finally {
        this.#pending--;
        input?.release();
      }
    };
    return untilAborted(run(), signal, () => undefined);
  }

  async #inTurn<T>(id: number, kind: Kind, signal: Signal, work: (slot: Slot) => Promise<T>): Promise<T> {
    const slot = this.#slots.get(id) ?? new Slot();
    this.#slots.set(id, slot);
    const turn = slot.queue(kind);
    try {
      await slot.watchers.until(() => slot.current === turn, signal);
      return await work(slot);
    } finally {
      slot.leave(turn);
      if (!slot.loaded && slot.current === null) this.#slots.delete(id);
    }
  }

  /** Does what cannot be taken back: `signal` counts only before it. */
  async #enter(signal: Signal, work: () => Promise<void>): Promise<void> {
    const permit = await this.#inside.acquire(signal);
    try {
      signal.throwIfAborted();
      await work();
    } finally {
      permit.release();
    }
  }

  /** Waits until neither a call nor what is left of one uses a resource. No new one does meanwhile. */
  async #unused(id: number, slot: Slot, signal: Signal): Promise<void> {
    await slot.watchers.until(() => slot.users === 0, signal);
    await this.#options.runtime.resourceUnused(id, signal);
  }

  async #unload(id: number, slot: Slot, signal?: Signal): Promise<void> {
    await this.#options.runtime.unloadResource(id, signal);
    slot.loaded = false;
  }

  /** The first of these whose content is being replaced; null when all are ready. */
  #replaced(ids: readonly number[]): Slot | null {
    let replaced: Slot | null = null;
    for (const id of ids) {
      const slot = this.#slots.get(id);
      const why =
        slot === undefined
          ? 'not loaded'
          : slot.asked('unload')
            ? 'being unloaded'
            : slot.asked('load')
              ? 'not loaded yet'
              : null;
      if (why !== null) throw new AigesError('invalidInput', { detail: `resource ${id} is ${why}` });
      if (slot?.replacing === true) replaced ??= slot;
    }
    return replaced;
  }

  /** Counts up, so that an id that was given lately does not soon mean something else. */
  #freeId(): number {
    do this.#lastId = this.#lastId === largestId ? 1 : this.#lastId + 1;
    while (this.#slots.has(this.#lastId));
    return this.#lastId;
  }
}

type Kind = 'load' | 'unload' | 'replace';

/** One operation that was asked for and has not ended. */
interface Turn {
  readonly kind: Kind;
}

/** What is known of one id. */
class Slot {
  /** Whether the plugin has the resource. */
  loaded = false;
  /** Calls that hold it. */
  users = 0;
  /** Calls and operations that wait for a change of the rest. */
  readonly watchers = new Watchers();
  /** In the order in which they were asked for; the first one is at work. */
  readonly #turns: Turn[] = [];

  /** The operation that is at work; null when there is none. */
  get current(): Turn | null {
    return this.#turns[0] ?? null;
  }

  /** Whether the resource will be there after what has been asked for. */
  get coming(): boolean {
    const last = this.#turns.at(-1);
    return last === undefined ? this.loaded : last.kind !== 'unload';
  }

  /** Whether new content is all that is asked for. */
  get replacing(): boolean {
    return this.#turns.length > 0 && this.#turns.every(({ kind }) => kind === 'replace');
  }

  asked(kind: Kind): boolean {
    return this.#turns.some((turn) => turn.kind === kind);
  }

  queue(kind: Kind): Turn {
    const turn = { kind };
    this.#turns.push(turn);
    // Calls that wait for new content do so in vain when it is to be unloaded next.
    this.watchers.look();
    return turn;
  }

  leave(turn: Turn): void {
    this.#turns.splice(this.#turns.indexOf(turn), 1);
    this.watchers.look();
  }

  leftByUser(): void {
    this.users--;
    if (this.users === 0) this.watchers.look();
  }
}

function alreadyLoaded(id: number): AigesError {
  return new AigesError('alreadyLoaded', { detail: `resource ${id}` });
}

function stillUsed(id: number): AigesError {
  return new AigesError('unloadFailed', { message: `resource ${id} is used by a call that was given up` });
}

function notLoaded(id: number): AigesError {
  return new AigesError('unloadFailed', { message: `resource ${id} is not loaded` });
}
