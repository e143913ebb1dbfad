import type { StringMap } from '../core/frame.js';
import type { ServiceSchema } from '../schema/service-schema.js';
import { escapeControls } from './line.js';

/** Everything the loader was told, checked and complete: nothing below has to supply a default. */
export interface Config {
  /** Path of the file, or `<defaults>`. */
  readonly source: string;
  readonly grpc: GrpcConfig;
  /** `null`: no HTTP. */
  readonly http: HttpConfig | null;
  /** Served where HTTP is. */
  readonly ws: WsConfig;
  readonly limits: LimitsConfig;
  readonly data: DataConfig;
  /** `null`: none, and requests that ask for it are refused. */
  readonly delivery: DeliveryConfig | null;
  readonly log: LogConfig;
  /** `null`: off. */
  readonly metrics: MetricsConfig | null;
  /** NUMA node whose CPUs the process keeps to; `null` for all of them. */
  readonly numaNode: number | null;
  /** At least one. The first is the default: it gets the calls that name none. */
  readonly services: readonly ServiceConfig[];
}

export interface GrpcConfig {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** `ip:port` that goes into handles, or `null` to derive it from the socket. */
  readonly advertise: string | null;
  readonly maxReceiveBytes: number;
  readonly maxSendBytes: number;
  /** `null`: no limit. */
  readonly rateLimit: { readonly msPerCall: number; readonly burst: number } | null;
  /** Whether someone chose the host; the start line names the key if nobody did. */
  readonly hostConfigured: boolean;
  readonly server: 'wire' | 'grpc-js';
  /** Path of a Unix socket to listen on besides; `null` for none. */
  readonly unix: string | null;
  /** What only the native server offers. */
  readonly wire: WireConfig;
}

/** Sizes in bytes. A time of 0 is no limit. */
export interface WireConfig {
  readonly reusePort: boolean;
  /** Memory for messages, of one connection and of all. */
  readonly connectionMemory: number;
  readonly totalMemory: number;
  /** What a client may send ahead, for one call and in all. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly maxConnections: number;
  /** Calls at the same time on one connection. */
  readonly maxStreams: number;
  readonly handshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxAgeMs: number;
  readonly maxAgeGraceMs: number;
  /** Milliseconds that an unread answer may lie in an engine's memory. */
  readonly leaseTimeMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
}

export interface HttpConfig {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly maxBodyBytes: number;
  /** For the bodies of all requests together. */
  readonly memoryBytes: number;
  /** Whether people get pages to look at. */
  readonly ui: boolean;
  /** Origins of pages that may call; "*" for all. */
  readonly cors: readonly string[];
  /** Whether every error has status 500. */
  readonly legacyErrors: boolean;
  /** What becomes of a field of a request that the service does not know. */
  readonly unknownFields: 'ignore' | 'warn' | 'refuse';
  readonly maxConnections: number;
  /** How long a client may take: for headers, for a body after them, without reading, from one request to the next. */
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly keepAliveMs: number;
}

/** Of one connection, where nothing else is said. A time of 0 is no limit. */
export interface WsConfig {
  /** Without a frame, while the client is the one to go on. */
  readonly idleTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly pingMs: number;
  readonly maxFrame: number;
  /** Frames, and bytes of them, that the engine has not taken. */
  readonly maxFrames: number;
  readonly maxFrameBytes: number;
  /** Bytes that the client has not read. */
  readonly maxUnsentBytes: number;
  readonly maxConnections: number;
  /** Whose pages may connect; empty for all. */
  readonly origins: readonly string[];
}

export interface LimitsConfig {
  readonly queue: number;
  readonly onceTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** Whether clients may change the number of permits. */
  readonly resize: boolean;
  readonly leasedBytes: number;
  /** Given up asynchronous calls that are remembered. */
  readonly abandoned: number;
  /** Results of callbacks that may wait in one stream, and their bytes. */
  readonly results: number;
  readonly resultBytes: number;
  /** What an engine may claim for one answer. */
  readonly outputBytes: number;
  /** Personalised resources that may be loaded at the same time. */
  readonly resources: number;
  /** Never 0: derived from the services' permits when the file leaves it open. */
  readonly threads: number;
}

/** Input that lies elsewhere. */
export interface DataConfig {
  /** Where it may be fetched from; empty: from nowhere. */
  readonly allow: readonly string[];
  readonly retries: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxTotalBytes: number;
  readonly maxRedirects: number;
  readonly parallel: number;
}

/** Results that travel through a message queue. */
export interface DeliveryConfig {
  /** `amqp://host:port/vhost` or `amqps://…`, without user and password. */
  readonly url: string;
  readonly user: string | null;
  readonly password: string | null;
  readonly queue: string;
  /** How often a result is sent that the server does not take. */
  readonly attempts: number;
  /** Results, and bytes of them, that may wait. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Of the service that keeps the status of tasks; `null`: nobody keeps it. */
  readonly taskStatusUrl: string | null;
}

export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `null`: standard error. */
  readonly file: LogFileConfig | null;
}

export interface LogFileConfig {
  readonly path: string;
  /** Size at which the file is rotated; `null` for never. */
  readonly maxBytes: number | null;
  /** Rotated files that are kept; `null` for all. */
  readonly keep: number | null;
  /** Age at which rotated files go; `null` for never. */
  readonly maxAgeMs: number | null;
}

export interface MetricsConfig {
  /** On every metric. */
  readonly labels: { readonly sub: string; readonly name: string; readonly idc: string; readonly cs: string };
  /** Delays are told over this many slices of this length. */
  readonly slices: number;
  readonly sliceMs: number;
}

export interface ServiceConfig {
  /** Used in the HTTP route and as serviceId. */
  readonly name: string;
  /** The table with its keys, "plugin" or "services.NAME": what messages call it. */
  readonly table: string;
  /** The HTTP route, such as `/v1/private/svcName`. */
  readonly route: string;
  /** Further paths of the same service. */
  readonly aliases: readonly string[];
  readonly version: string;
  readonly plugin: NativePluginConfig | NodePluginConfig;
  /** What a file says that it takes and gives; `null` without one. */
  readonly schema: ServiceSchema | null;
  /** Whether clients may load personalised resources into the plugin. */
  readonly resources: boolean;
  /** What `wrapperInit` gets. */
  readonly pluginConfig: StringMap;
  readonly maxConcurrent: number;
  /** Names of request headers that are copied into the parameters; `sid` is always one of them. */
  readonly headerPass: readonly string[];
  readonly streams: StreamsConfig;
  /** Whether the input of one-shot requests goes to files in the working directory. */
  readonly storeInput: boolean;
  /** Names of the service's inputs; `null`: nobody has said. */
  readonly inputs: readonly string[] | null;
}

export interface StreamsConfig {
  /** Idle time after which a session ends, and the interval of the search for such ones. */
  readonly ttlMs: number;
  readonly rollMs: number;
  /** Whether results are read while input is still coming. */
  readonly realTime: boolean;
  /** How long a session waits for a missing packet. */
  readonly gapMs: number;
  /** Packets of one session that may wait. */
  readonly maxPackets: number;
}

export interface NativePluginConfig {
  readonly kind: 'native';
  /** Absolute, or relative to the working directory, as given. */
  readonly path: string;
  readonly asyncMode: boolean;
  readonly input: 'auto' | 'copy';
  readonly output: 'copy' | 'lease';
  readonly emptyList: 'sentinel' | 'null';
  readonly abandon: 'release' | 'hold';
  /** How long the tag of a stream outlives it when its final callback has not come. */
  readonly tagGraceMs: number;
}

/** A wrapper in TypeScript or JavaScript. */
export interface NodePluginConfig {
  readonly kind: 'node';
  /** Absolute, or relative to the working directory, as given. */
  readonly path: string;
  /** Threads, each with an instance of its own. */
  readonly instances: number;
  /** How long a thread may go on with a call that nobody waits for. */
  readonly execLimitMs: number;
  /** Most memory for the objects of one thread; null leaves it to Node. */
  readonly heapMiB: number | null;
}

/** A config and what its owner should hear about it. */
export interface LoadedConfig {
  readonly config: Config;
  /** The service in a table of its own that was asked for; `null` when none was, or the service section. */
  readonly asked: ServiceConfig | null;
  /** One line each. */
  readonly warnings: readonly string[];
}

/** Says what is wrong with a config: one line per fault, all of them at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[], options?: ErrorOptions) {
    const lines = faults.map(escapeControls);
    super(lines.join('\n'), options);
    this.faults = lines;
  }
}
