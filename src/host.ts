import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as healthProto } from 'grpc-health-check';
import type { Config, ServiceConfig } from './config/config.js';
import type { Address } from './core/address.js';
import { AigesError } from './core/errors.js';
import type { PluginInfo, PluginRuntime } from './core/runtime.js';
import { toAbortSignal } from './core/signal.js';
import { createDataSource, type DataSource, isRemote } from './data/data-source.js';
import { InputStore } from './data/store-input.js';
import { Admission } from './engine/admission.js';
import { aborted, within } from './engine/deadline.js';
import { RateLimit } from './engine/rate-limit.js';
import { Service } from './engine/service.js';
import { Gateway } from './host/gateway.js';
import { listening, listeningUnix } from './host/listening.js';
import { openPosting } from './host/posting.js';
import { Readiness } from './host/readiness.js';
import type { Served } from './host/served.js';
import type { Logger } from './observability/logger.js';
import { Metrics } from './observability/metrics.js';
import { bindToNode, counters, loadRuntime } from './runtimes/load.js';
import { followDescriptor } from './schema/service-schema.js';
import { acceptGrpcJsServices } from './transports/grpc/adapter.js';
import { createGrpcServer } from './transports/grpc/create.js';
import { serveXsf } from './transports/xsf/server.js';
import { serveToolbox } from './transports/xsf/toolbox.js';

export interface Host {
  /**
   * Loads the plugins, then listens.
   * @throws AigesError `initFailed` with a text that says what to do; nothing is left running then
   */
  start(): Promise<Started>;
  /** Stops listening, lets running calls finish within `limits.drainTimeout`, ends the plugins. Call it once. */
  drain(): Promise<Drained>;
}

export interface Started {
  readonly grpc: Address;
  readonly http: Address | null;
  readonly services: readonly StartedService[];
}

export interface StartedService {
  readonly name: string;
  readonly version: string;
  readonly route: string;
  readonly plugin: PluginInfo;
}

export interface Drained {
  /** Calls that plugin code had not returned from when the time was up; their plugin was not ended. */
  readonly stuck: number;
  /** Whether every plugin has ended. */
  readonly ended: boolean;
}

export interface HostOptions {
  readonly log: Logger;
  /** Makes the runtime of a service; tests put a fake here. */
  readonly loadRuntime?: (service: ServiceConfig) => PluginRuntime;
  /** Gets what makes the runtime of a service, as often as it is called, and gives the one that the service uses. */
  readonly wrapRuntime?: (make: () => PluginRuntime, service: ServiceConfig) => PluginRuntime;
  /** How long a plugin may take to end; 10,000 when absent. */
  readonly finiMs?: number;
  /** How long an answer that says "shutting down" may take to reach its client before connections are cut; 1000 when absent. */
  readonly lastWordsMs?: number;
}

/** Builds everything from a configuration. Holds no state outside itself: several hosts can live in one process. */
export function createHost(config: Config, options: HostOptions): Host {
  const { log, wrapRuntime = (make: () => PluginRuntime): PluginRuntime => make() } = options;
  const { finiMs = 10_000, lastWordsMs = 1000 } = options;
  const metrics =
    config.metrics === null
      ? null
      : new Metrics({
          ...config.metrics,
          services: () => served.map(({ service: { name, load, sessions } }) => ({ name, ...load, sessions })),
          counters: options.loadRuntime === undefined ? counters : null,
          grpc: () => grpc.stats(),
        });
  const load =
    options.loadRuntime ??
    (({ name, plugin }: ServiceConfig) =>
      loadRuntime(plugin, {
        maxThreads: config.limits.threads,
        leasedBytes: config.limits.leasedBytes,
        abandoned: config.limits.abandoned,
        streamResults: config.limits.results,
        streamBytes: config.limits.resultBytes,
        outputBytes: config.limits.outputBytes,
        onLog: (level, message, fields) => {
          log[level]({ plugin: name, ...fields }, message);
        },
        onMeter: (tag, key, count, sid) => {
          metrics?.meter(name, key, count);
          log.info({ service: name, tag, sid: sid ?? undefined, key, count }, 'meter');
        },
        onTrace: (tag, key, value, sid) => {
          log.info({ service: name, tag, sid: sid ?? undefined, key, value }, 'trace');
        },
      }));
  const data = openData(config);
  const inputs = createInputStore(log);
  const served: readonly Served[] = config.services.map((serviceConfig) => {
    const service = new Service({
      name: serviceConfig.name,
      runtime: wrapRuntime(() => load(serviceConfig), serviceConfig),
      admission: new Admission({ permits: serviceConfig.maxConcurrent, queue: config.limits.queue }),
      prepare: (frames, signal) => (frames.some(isRemote) ? data.resolve(frames, toAbortSignal(signal)) : frames),
      resources: serviceConfig.resources ? config.limits.resources : null,
      streams: { ...serviceConfig.streams, inputs: serviceConfig.inputs },
      ...(serviceConfig.storeInput
        ? {
            record: (frames) => {
              inputs.record(frames);
            },
          }
        : {}),
    });
    const { schema: file } = serviceConfig;
    const schema = file === null ? followDescriptor(service.name, () => service.descriptor) : () => file;
    return { config: serviceConfig, service, schema };
  });
  const [first] = served;
  if (first === undefined) throw new AigesError('initFailed', { message: 'the configuration names no service' });

  const readiness = new Readiness(served.map(({ service }) => service));
  const shutdown = new AbortController();
  const closing = new AbortController();
  // Every running call listens to these.
  setMaxListeners(0, shutdown.signal, closing.signal);
  const onError = (error: AigesError, context: object): void => {
    const level = error.code === 10002 ? 'error' : 'info';
    log[level]({ ...context, code: error.code, detail: error.detail ?? undefined, err: error.cause }, error.message);
  };

  const posting = config.delivery === null ? null : openPosting(config.delivery, config.limits, log, onError);
  const grpc = createGrpcServer(config.grpc, (text) => {
    log.warn(text);
  });
  let grpcAddress: Address = config.grpc;
  const { rateLimit } = config.grpc;
  serveXsf(grpc, {
    services: served.map(({ service, config: { headerPass, streams } }) => ({
      service,
      headerPass,
      ttlMs: streams.ttlMs,
    })),
    rollMs: first.config.streams.rollMs,
    resourceTimeoutMs: config.limits.onceTimeoutMs,
    resizable: config.limits.resize,
    onResized: ({ service, permits }) => {
      log.info({ service, permits }, 'a client changed the number of licences');
      const { threads } = config.limits;
      if (permits <= threads) return;
      log.warn({ service }, `[limits].threads: ${threads} of ${permits} requests can be in the engine at once`);
    },
    postback: posting?.postback ?? null,
    rateLimit: rateLimit === null ? null : new RateLimit(rateLimit.msPerCall, rateLimit.burst),
    advertise: config.grpc.advertise,
    host: config.grpc.host,
    listening: () => grpcAddress,
    shutdown: shutdown.signal,
    ...(metrics === null ? {} : { onCall: () => metrics.call() }),
    onError: (error, { service, ...context }) => {
      onError(error, { service: service ?? undefined, ...context });
    },
  });
  serveToolbox(grpc, {
    ready: () => readiness.ready,
    metrics: metrics === null ? null : (unit) => metrics.text(unit),
  });
  const attach = acceptGrpcJsServices(grpc, closing.signal);
  readiness.health.addToServer(attach);
  describedServices().addToServer(attach);

  let gateway: Gateway | null = null;

  const listenHttp = async (): Promise<Address | null> => {
    const { http, ws, limits } = config;
    if (http === null) return null;
    const { onceTimeoutMs } = limits;
    gateway = new Gateway(served, {
      http,
      ws,
      onceTimeoutMs,
      log,
      metrics,
      ready: () => readiness.ready,
      shutdown: shutdown.signal,
      onError,
    });
    return gateway.listen();
  };

  /** Stops listening and resolves when every connection has ended; `cut` ends those that are left. */
  const stopListening = async (cut: AbortSignal): Promise<void> => {
    const onCut = (): void => gateway?.cut();
    cut.addEventListener('abort', onCut);
    if (cut.aborted) onCut();
    await Promise.all([grpc.drain(cut), gateway?.close()]);
  };

  /** Ends a plugin; tells whether it ended as it should. */
  const end = async (service: Service): Promise<boolean> => {
    try {
      for (const error of await service.stop()) {
        log.warn({ service: service.name, code: error.code, err: error.cause }, error.message);
      }
      return true;
    } catch (caught) {
      const { code, message, cause } = AigesError.from(caught);
      log.error({ service: service.name, code, err: cause }, message);
      return false;
    }
  };

  /** Starts a plugin; when there are several, a failure says whose it is. */
  const starting = async (service: Service, { pluginConfig, table }: ServiceConfig): Promise<PluginInfo> => {
    try {
      return await service.start(pluginConfig);
    } catch (cause) {
      if (served.length === 1) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      const detail = cause instanceof AigesError ? cause.detail : null;
      throw new AigesError('initFailed', {
        message: `[${table}]: ${message}`,
        cause,
        ...(detail === null ? {} : { detail }),
      });
    }
  };

  return {
    async start() {
      const plugins: StartedService[] = [];
      const begun: Service[] = [];
      try {
        if (config.numaNode !== null) bindToNode(config.numaNode);
        await posting?.delivery.start();
        for (const { service, config: serviceConfig } of served) {
          begun.push(service);
          const plugin = await starting(service, serviceConfig);
          for (const warning of plugin.warnings) log.warn({ service: service.name }, warning);
          if (serviceConfig.resources && !plugin.capabilities.resources) {
            log.warn(
              { service: service.name },
              `[${serviceConfig.table}].resources is true, but the plugin takes none (wrapperLoadRes, wrapperUnloadRes): loading does nothing; remove the key`,
            );
          }
          const { name, version, route } = serviceConfig;
          plugins.push({ name, version, route, plugin });
        }
        grpcAddress = await listening(grpc.listen(config.grpc), 'gRPC', config.grpc);
        if (config.grpc.unix !== null) await listeningUnix(grpc.listenUnix(config.grpc.unix), config.grpc.unix);
        const httpAddress = await listening(listenHttp(), 'HTTP', config.http);
        readiness.open();
        return { grpc: grpcAddress, http: httpAddress, services: plugins };
      } catch (error) {
        // gRPC may have taken calls while HTTP found its port in use.
        shutdown.abort(new AigesError('shuttingDown'));
        await stopListening(AbortSignal.abort());
        await Promise.all(served.map(({ service }) => service.drain()));
        data.close();
        await posting?.close();
        await within(finiMs, Promise.all(begun.map(end)));
        throw error;
      }
    },

    async drain() {
      readiness.close();
      closing.abort();
      const timeUp = setTimeout(() => {
        shutdown.abort(new AigesError('shuttingDown'));
      }, config.limits.drainTimeoutMs);
      const drained = Promise.all(served.map(({ service }) => service.drain()));
      gateway?.drain();
      // A call that nobody waits for is over when its result has arrived, an answer over HTTP when its client has it, a
      // session when its client has been sent it.
      const idle = drained.then(() => Promise.all([posting?.postback.idle(), gateway?.idle()]));
      // Until no call is left, or none has time left, clients can reach us: a session goes on over many calls of theirs.
      await Promise.race([idle, aborted(shutdown.signal)]);
      clearTimeout(timeUp);
      const cut = new AbortController();
      const stopped = stopListening(cut.signal);
      // The last answers have a moment to leave; silent connections have no more.
      await within(lastWordsMs, Promise.all([idle, stopped]));
      cut.abort();
      await within(lastWordsMs, stopped);
      // For results that nobody has come for.
      shutdown.abort(new AigesError('shuttingDown'));
      await posting?.close();
      const stuck = served.reduce((sum, { service }) => sum + service.inside, 0);
      data.close();
      await within(lastWordsMs, inputs.settled());
      // A plugin that has not returned is left alone; the others end as they should.
      const over = served.filter(({ service }) => service.inside === 0);
      const ends = Promise.all(over.map(({ service }) => end(service)));
      const ended = (await within(finiMs, ends)) && (await ends).every((each) => each);
      return { stuck, ended: ended && stuck === 0 };
    },
  };
}

function openData(config: Config): DataSource {
  try {
    return createDataSource(config.data);
  } catch (error) {
    throw new AigesError('initFailed', { message: `[data].allow: ${(error as Error).message}`, cause: error });
  }
}

/** Inputs go to the working directory, as in the original. */
function createInputStore(log: Logger): InputStore {
  const warn = (name: string, why: string): void => {
    log.warn({ name, why }, 'input not stored');
  };
  return new InputStore({ folder: '.', warn });
}

function describedServices(): ReflectionService {
  const ours = ['xsf.proto', 'loader.proto'].map((file) => fileURLToPath(new URL(`../proto/${file}`, import.meta.url)));
  return new ReflectionService(loadSync([...ours, healthProto]));
}
