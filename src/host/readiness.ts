import { HealthImplementation } from 'grpc-health-check';
import type { Service } from '../engine/service.js';

/** How often the plugins are asked for the health service of gRPC, whose watchers wait to be told. */
const lookMs = 500;

/** Whether calls are taken, for everyone who asks: every plugin has code that can take them. */
export class Readiness {
  /** Tells the same over gRPC. */
  readonly health = new HealthImplementation({ '': 'NOT_SERVING', 'utils.XsfCall': 'NOT_SERVING' });
  readonly #services: readonly Pick<Service, 'ready'>[];
  #timer: NodeJS.Timeout | null = null;
  #told = false;

  constructor(services: readonly Pick<Service, 'ready'>[]) {
    this.#services = services;
  }

  get ready(): boolean {
    return this.#timer !== null && this.#services.every(({ ready }) => ready);
  }

  /** From now on it is for the plugins to say. */
  open(): void {
    this.#timer = setInterval(() => {
      this.#tell();
    }, lookMs).unref();
    this.#tell();
  }

  /** Nothing is taken any more. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#tell();
  }

  #tell(): void {
    const { ready } = this;
    if (ready === this.#told) return;
    this.#told = ready;
    for (const name of ['', 'utils.XsfCall']) this.health.setStatus(name, ready ? 'SERVING' : 'NOT_SERVING');
  }
}
