import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { DelayWindow } from './delay-window.js';

export interface ServiceLoad {
  readonly name: string;
  readonly permits: number;
  readonly running: number;
  readonly waiting: number;
  readonly sessions: number;
}

export interface MetricsOptions {
  /** On every metric. */
  readonly labels: Readonly<Record<string, string>>;
  /** Delays are told over so many slices of this length. */
  readonly slices: number;
  readonly sliceMs: number;
  /** Asked at every reading. */
  readonly services: () => readonly ServiceLoad[];
  /** What the native part counts; `null` where there is none. */
  readonly counters: (() => Readonly<Record<CounterName, number>>) | null;
  /** What the gRPC server counts; `null`, or giving it, where it counts nothing. */
  readonly grpc: (() => Readonly<Record<GrpcCounterName, number>> | null) | null;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

/** Values of a label that are told apart where engines choose them: their number has to end. */
const mostChosen = 100;
const longestChosen = 100;
const otherChosen = 'other';

/** Seconds. From an engine that looks something up to one that reads an hour of speech. */
const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What the native part holds at this moment. */
const held = {
  jobsQueued: ['jobs_queued', 'Calls and frees that wait for an engine thread'],
  jobsRunning: ['jobs_running', 'Calls and frees on an engine thread'],
  outputsAlive: ['outputs_alive', 'Leased answers that the engine has not got back'],
  leasedBytes: ['leased_bytes', 'Bytes of leased answers'],
  pins: ['pins', 'Requests whose payloads are kept alive for an engine'],
  sessions: ['sessions', 'Streams between wrapperCreate and wrapperDestroy'],
  asyncWaiting: ['async_waiting', 'Asynchronous calls and streams without their final callback'],
  tombstones: ['tombstones', 'Tags of abandoned calls that are remembered'],
  engines: ['engines', 'Engines between wrapperInit and wrapperFini'],
  threads: ['threads', 'Engine threads'],
  loans: ['loans', 'Buffers that threads of wrappers read in place'],
} as const;

/** What it has counted since the process began. */
const counted = {
  bytesIn: ['bytes_in_total', 'Payload bytes copied on the way to engines'],
  bytesOut: ['bytes_out_total', 'Payload bytes copied on the way back'],
  unalignedCopies: ['unaligned_copies_total', 'Large payloads copied only because they were not aligned'],
  lateCallbacks: ['late_callbacks_total', 'Callbacks for a call that nobody waited for'],
  controlDropped: ['control_dropped_total', 'Meter and trace records that found no room or no call'],
  tombstonesDropped: ['tombstones_dropped_total', 'Tags that were forgotten because there were too many'],
  destroyFailures: ['destroy_failures_total', 'Streams for which wrapperDestroy failed'],
} as const;

/** A number of the native part that is told. */
export type CounterName = keyof typeof held | keyof typeof counted;

/** What the gRPC server holds at this moment. */
const heldByGrpc = {
  connections: ['connections', 'Open connections'],
  connectionsPaused: ['connections_paused', 'Connections that are not read because there is no memory'],
  calls: ['calls', 'Calls that have not ended'],
  bytesHeld: ['bytes_held', 'Bytes of received messages'],
  bytesQueued: ['bytes_queued', 'Bytes of answers that are not written yet'],
  headerBytes: ['header_bytes', 'Bytes of header lists of open calls'],
  tokens: ['tokens', 'Answers whose memory is lent to the server'],
} as const;

/** What it has counted since it began to listen. */
const countedByGrpc = {
  connectionsAccepted: ['connections_accepted_total', 'Connections'],
  connectionsRefused: ['connections_refused_total', 'Connections beyond maxConnections'],
  connectionsAbused: ['connections_abused_total', 'Connections that were closed to protect the server'],
  callsStarted: ['calls_started_total', 'Calls'],
  callsParked: ['calls_parked_total', 'Calls that had to wait until their client had read its answers'],
  messagesReceived: ['messages_received_total', 'Messages received'],
  messagesSent: ['messages_sent_total', 'Messages sent'],
  bytesReceived: ['bytes_received_total', 'Bytes from sockets'],
  bytesSent: ['bytes_sent_total', 'Bytes to sockets'],
  bytesCopiedIn: ['bytes_copied_in_total', 'Bytes of received messages that were copied'],
  bytesCopiedOut: ['bytes_copied_out_total', 'Bytes of answers that were copied'],
  resetsReceived: ['resets_received_total', 'Streams that clients have reset'],
  resetsSent: ['resets_sent_total', 'Streams that the server has reset'],
  goawaysSent: ['goaways_sent_total', 'GOAWAY frames sent'],
  memoryPauses: ['memory_pauses_total', 'Times that a connection was not read because there was no memory'],
  metadataUnsendable: ['metadata_unsendable_total', 'Calls that ended because their metadata was too long'],
} as const;

/** A number of the gRPC server that is told. */
export type GrpcCounterName = keyof typeof heldByGrpc | keyof typeof countedByGrpc;

/** Ways to a service besides gRPC. */
export type GatewayProtocol = 'http' | 'ws';

interface GatewayNumbers {
  readonly open: Gauge<'service'>;
  readonly ended: Counter<'service' | 'code'>;
  readonly seconds: Histogram<'service'>;
}

/** What one host counts, in the names that the tools of the serving tier know, and in more of our own. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #now: () => number;
  readonly #registry: Registry;
  readonly #delays: DelayWindow;
  readonly #requests: Gauge<'type' | 'code'>;
  readonly #inFlight: Gauge;
  readonly #meters: Counter<'service' | 'key'>;
  readonly #gateway: Record<GatewayProtocol, GatewayNumbers>;
  /** Values of labels that engines have chosen, by what they are of. */
  readonly #chosen = new Map<string, Set<string>>();

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#delays = new DelayWindow(options.slices, options.sliceMs, this.#now);
    this.#registry = this.#createRegistry();
    const registers = [this.#registry];
    this.#requests = new Gauge({
      name: 'module_request',
      help: 'xsf calls answered since the start, by code',
      labelNames: ['type', 'code'],
      registers,
    });
    this.#inFlight = new Gauge({ name: 'concurrent_statistics', help: 'xsf calls that are being answered', registers });
    this.#meters = new Counter({
      name: 'aiges_meter_total',
      help: 'Sum of what engines have metered, by their key',
      labelNames: ['service', 'key'],
      registers,
    });
    this.#gateway = {
      http: createGatewayNumbers('http', 'requests', registers),
      ws: createGatewayNumbers('ws', 'connections', registers),
    };
    this.#tellLoad('permits', 'Calls and sessions that may run at the same time');
    this.#tellLoad('running', 'Calls and sessions that hold a permit');
    this.#tellLoad('waiting', 'Calls that wait for a permit');
    this.#tellLoad('sessions', 'Stream sessions');
    if (options.counters !== null) this.#tellCounters(options.counters);
  }

  /** Counts an xsf call from now on. What comes back is to be told the code of the answer, once. */
  call(): (code: number) => void {
    const startedAt = this.#now();
    this.#inFlight.inc();
    return (code) => {
      this.#inFlight.dec();
      this.#delays.add(this.#now() - startedAt);
      this.#requests.inc({ type: 'passive', code: this.#bound('xsf', String(code)) });
    };
  }

  /**
   * Counts a request over HTTP, or a connection over WebSocket, from now on. What comes back is to be told the code that it
   * ended with, once: that of the loader, 0 for none.
   */
  gatewayCall(protocol: GatewayProtocol, service: string): (code: number) => void {
    const { open, ended, seconds } = this.#gateway[protocol];
    const startedAt = this.#now();
    open.inc({ service });
    return (code) => {
      open.dec({ service });
      ended.inc({ service, code: this.#bound(`${protocol} ${service}`, String(code)) });
      seconds.observe({ service }, (this.#now() - startedAt) / 1000);
    };
  }

  /** Adds what an engine has metered. What is no number above 0 adds nothing: a sum like this one never falls. */
  meter(service: string, key: string, count: number): void {
    if (!Number.isFinite(count) || count <= 0) return;
    this.#meters.inc({ service, key: this.#bound(`meter ${service}`, key) }, count);
  }

  /** The text that Prometheus reads. Delays are in nanoseconds, as ever, unless asked for in milliseconds. */
  async text({ milliseconds }: { readonly milliseconds: boolean }): Promise<string> {
    // A registry of its own: two readers may want different units at the same time.
    const registry = this.#createRegistry();
    const delay = new Gauge({
      name: 'module_delay',
      help: `Time to answer an xsf call in ${milliseconds ? 'milliseconds' : 'nanoseconds'}, and calls per second (qps), over the window`,
      labelNames: ['type'],
      registers: [registry],
    });
    const { qps, ...delays } = this.#delays.read();
    for (const [type, ms] of Object.entries(delays)) delay.set({ type }, milliseconds ? ms : Math.round(ms * 1e6));
    delay.set({ type: 'qps' }, qps);
    const grpc = this.#options.grpc?.() ?? null;
    if (grpc !== null) tellGrpc(registry, grpc);
    return `${await registry.metrics()}\n${await this.#registry.metrics()}`;
  }

  #createRegistry(): Registry {
    const registry = new Registry();
    registry.setDefaultLabels(this.#options.labels);
    return registry;
  }

  #bound(of: string, value: string): string {
    const values = this.#chosen.get(of) ?? new Set();
    this.#chosen.set(of, values);
    if (values.has(value)) return value;
    if (values.size >= mostChosen || value.length > longestChosen) return otherChosen;
    values.add(value);
    return value;
  }

  #tellLoad(which: Exclude<keyof ServiceLoad, 'name'>, help: string): void {
    const { services } = this.#options;
    new Gauge({
      name: `aiges_${which}`,
      help,
      labelNames: ['service'],
      registers: [this.#registry],
      collect() {
        for (const load of services()) this.set({ service: load.name }, load[which]);
      },
    });
  }

  #tellCounters(counters: () => Readonly<Record<CounterName, number>>): void {
    const registers = [this.#registry];
    for (const [key, [name, help]] of Object.entries(held)) {
      new Gauge({
        name: `aiges_native_${name}`,
        help,
        registers,
        collect() {
          this.set(counters()[key as CounterName]);
        },
      });
    }
    for (const [key, [name, help]] of Object.entries(counted)) {
      new Counter({
        name: `aiges_native_${name}`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(counters()[key as CounterName]);
        },
      });
    }
  }
}

function createGatewayNumbers(protocol: GatewayProtocol, what: string, registers: Registry[]): GatewayNumbers {
  const called = protocol === 'http' ? 'Requests to services over HTTP' : 'WebSocket connections';
  return {
    open: new Gauge({
      name: `aiges_${protocol}_open`,
      help: `${called} that have not ended`,
      labelNames: ['service'],
      registers,
    }),
    ended: new Counter({
      name: `aiges_${protocol}_${what}_total`,
      help: `${called} that have ended, by code`,
      labelNames: ['service', 'code'],
      registers,
    }),
    seconds: new Histogram({
      name: `aiges_${protocol}_seconds`,
      help: `${called}: from the beginning to the end`,
      labelNames: ['service'],
      buckets: requestSeconds,
      registers,
    }),
  };
}

function tellGrpc(registry: Registry, numbers: Readonly<Record<GrpcCounterName, number>>): void {
  const registers = [registry];
  for (const [key, [name, help]] of Object.entries(heldByGrpc)) {
    new Gauge({ name: `aiges_grpc_${name}`, help, registers }).set(numbers[key as GrpcCounterName]);
  }
  for (const [key, [name, help]] of Object.entries(countedByGrpc)) {
    new Counter({ name: `aiges_grpc_${name}`, help, registers }).inc(numbers[key as GrpcCounterName]);
  }
}
