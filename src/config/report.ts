import { ConfigError } from './config.js';
import { escapeControls } from './line.js';

/** Collects faults and warnings, so that a person mends a file once and not key by key. */
export class Report {
  readonly #faults = new Set<string>();
  readonly #warnings = new Set<string>();

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  fault(where: string, text: string): void {
    this.#faults.add(`${where}: ${text}`);
  }

  warn(where: string, text: string): void {
    this.#warnings.add(escapeControls(`${where}: ${text}`));
  }

  /** What the action yields, or `null` when it throws a ConfigError, whose faults join the others. */
  attempt<T>(action: () => T): T | null {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const fault of error.faults) this.#faults.add(fault);
      return null;
    }
  }

  /** @throws ConfigError when there was a fault */
  conclude(): void {
    if (this.#faults.size > 0) throw new ConfigError([...this.#faults]);
  }
}
