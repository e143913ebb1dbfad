import type { ServiceConfig } from '../config/config.js';
import type { Service } from '../engine/service.js';
import type { ServiceSchema } from '../schema/service-schema.js';

/** A service, how it is configured, and what it takes and gives now. */
export interface Served {
  readonly config: ServiceConfig;
  readonly service: Service;
  readonly schema: () => ServiceSchema;
}
