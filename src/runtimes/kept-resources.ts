import type { Frame } from '../core/frame.js';

type Content = readonly Frame[];

/** Where resources are loaded. */
export interface Keeper {
  load(id: number, content: Content): Promise<void>;
  unload(id: number): Promise<void>;
}

/** The personalised resources of a plugin, for instances of it that start later. */
export class KeptResources {
  readonly #contents = new Map<number, Content>();

  keep(id: number, content: Content): void {
    this.#contents.set(id, content);
  }

  /** @returns what it was */
  drop(id: number): Content | undefined {
    const content = this.#contents.get(id);
    this.#contents.delete(id);
    return content;
  }

  /**
   * Gives an instance what there is. Clients may load and unload meanwhile: goes on until it has the same.
   * @param ready called in the same turn as the last look: from then on changes are to be made there as well
   * @throws AigesError what the instance said against it
   */
  async bringTo(keeper: Keeper, ready: () => void): Promise<void> {
    const has = new Map<number, Content>();
    for (;;) {
      const [gone] = [...has].find(([id, content]) => this.#contents.get(id) !== content) ?? [];
      const missing = [...this.#contents].find(([id]) => !has.has(id));
      if (gone !== undefined) {
        await keeper.unload(gone);
        has.delete(gone);
      } else if (missing !== undefined) {
        await keeper.load(...missing);
        has.set(...missing);
      } else {
        ready();
        return;
      }
    }
  }
}

/** Content to keep: the memory of a request goes with it. */
export function ownContent(frames: readonly Frame[]): Content {
  return frames.map((frame) => ({ ...frame, data: new Uint8Array(frame.data) }));
}
