import type { Config, HttpConfig } from '../config/config.js';
import type { Address } from '../core/address.js';
import type { AigesError } from '../core/errors.js';
import type { Logger } from '../observability/logger.js';
import type { GatewayProtocol, Metrics } from '../observability/metrics.js';
import { openApiDocument } from '../schema/openapi.js';
import { RequestCheck } from '../schema/request-check.js';
import { attributeType } from '../schema/service-schema.js';
import { createHttpServer, type HttpServer } from '../transports/http/server.js';
import type { Endpoint } from '../transports/json/endpoint.js';
import { serveWs, type WsOptions, type WsServer } from '../transports/ws/server.js';
import type { Served } from './served.js';

/** Silence after which a stream over HTTP says that it is still there: proxies cut connections after a minute or less. */
const pingMs = 15_000;

export interface GatewayOptions {
  readonly http: HttpConfig;
  readonly ws: Config['ws'];
  readonly onceTimeoutMs: number;
  readonly log: Logger;
  readonly metrics: Metrics | null;
  readonly ready: () => boolean;
  /** Ends every call. */
  readonly shutdown: AbortSignal;
  readonly onError: (error: AigesError, context: object) => void;
}

/** HTTP and WebSocket on one port. Made when the plugins have started: what they declare is part of what it serves. */
export class Gateway {
  readonly #address: Address;
  readonly #http: HttpServer;
  readonly #ws: WsServer;

  constructor(served: readonly Served[], options: GatewayOptions) {
    const { http, ws, onceTimeoutMs, log, metrics, ready, shutdown, onError } = options;
    const onCall = (protocol: GatewayProtocol): WsOptions['onCall'] =>
      metrics === null ? undefined : (service) => metrics.gatewayCall(protocol, service);
    const services = served.flatMap((each) => endpointsOf(each, http.unknownFields, log));
    const common = {
      services,
      shutdown,
      onError: (error: AigesError, context: { readonly route: string }): void => {
        const service = services.find(({ route }) => route === context.route)?.service.name;
        onError(error, { service, ...context });
      },
    };
    const onRequest = log.isLevelEnabled('debug')
      ? (entry: object): void => {
          log.debug(entry, 'request');
        }
      : undefined;
    this.#address = { host: http.host, port: http.port };
    this.#http = createHttpServer({
      ...common,
      onCall: onCall('http'),
      metrics: metrics === null ? undefined : () => metrics.text({ milliseconds: false }),
      maxBodyBytes: http.maxBodyBytes,
      memoryBytes: http.memoryBytes,
      ui: http.ui,
      cors: http.cors,
      legacyErrors: http.legacyErrors,
      maxConnections: http.maxConnections,
      patience: {
        headersMs: http.headersTimeoutMs,
        bodyMs: http.bodyTimeoutMs,
        sendMs: http.sendTimeoutMs,
        keepAliveMs: http.keepAliveMs,
      },
      onceTimeoutMs,
      pingMs,
      ready,
      document: () => describe(served),
      onRequest,
    });
    this.#ws = serveWs(this.#http, {
      ...common,
      onCall: onCall('ws'),
      onHandshake: onRequest,
      limits: { ...ws, onceTimeoutMs },
      origins: ws.origins,
    });
  }

  async listen(): Promise<Address> {
    await this.#http.listen(this.#address);
    const bound = this.#http.server.address();
    return { ...this.#address, ...(typeof bound === 'object' && bound !== null ? { port: bound.port } : {}) };
  }

  /** Takes no new connections for sessions; those that are open go on. */
  drain(): void {
    this.#ws.drain();
  }

  /** Resolves when clients have every answer that has begun by now, and the end of every session. */
  async idle(): Promise<void> {
    await Promise.all([this.#http.answered(), this.#ws.idle()]);
  }

  /** Stops listening and resolves when every connection has ended. */
  async close(): Promise<void> {
    await this.#http.close();
  }

  cut(): void {
    this.#http.server.closeAllConnections();
    this.#ws.cut();
  }
}

/** A service at each of its paths. */
function endpointsOf(
  { service, schema, config: { route, aliases, headerPass } }: Served,
  unknownFields: HttpConfig['unknownFields'],
  log: Logger,
): Endpoint[] {
  const requests = new RequestCheck({
    schema,
    unknownFields,
    onUnknown: (field) => {
      log.warn({ service: service.name, field }, 'a request has a field that the service does not know');
    },
  });
  return [route, ...aliases].map((path) => ({
    service,
    route: path,
    headerPass,
    // Read anew each time: a plugin that is being written changes.
    get descriptor() {
      return schema().descriptor;
    },
    check: requests.check.bind(requests),
    attributeType: (output, attribute) => attributeType(schema(), output, attribute),
  }));
}

/** What is served now. A plugin that has not started has not said what it takes. */
function describe(served: readonly Served[]): object {
  return openApiDocument(
    served.flatMap(({ service: { name, capabilities }, schema, config: { route, aliases, version } }) => {
      const { once, stream } = capabilities;
      return [route, ...aliases].map((path) => ({ schema: schema(), name, version, route: path, once, stream }));
    }),
  );
}
