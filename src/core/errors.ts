/** Every code the loader itself can answer, with the text clients of the original know. */
const table = {
  undecodableBody: [10000, 'request body is not valid'],
  inconvertibleBody: [10001, 'request cannot be converted'],
  internal: [10002, 'internal error'],
  invalidOperation: [10003, 'invalid service operation'],
  unknownHandle: [10008, 'service instance invalid'],
  invalidInput: [10009, 'input invalid data'],
  releasedHandle: [10101, 'service instance inactive, already release'],
  timeout: [10102, 'service exec once request timeout'],
  cancelled: [10102, 'the client has left'],
  resizeTimeout: [10104, 'licences are still in use'],
  badLicenses: [10107, 'expected a positive number of licences'],
  duplicateTag: [10105, 'wrapper handle repeat acquire async chan'],
  // The 10106 texts belong to one code in the original; the trailing blank is part of the first.
  invalidDownMethod: [10106, 'invalid downMethod'],
  outputNotExpected: [10106, 'wrapper output data is nil '],
  outputTypeMismatch: [10106, 'wrapper output data invalid(key or type)'],
  pluginCrashed: [10109, 'plugin ended before it answered'],
  noLicense: [10110, 'service license not enough'],
  // The same code: clients of the serving tier answer it by going to another node.
  shuttingDown: [10110, 'service is shutting down'],
  noMemory: [10110, 'no memory for the request'],
  handleInUse: [10110, 'handle is already stored'],
  sessionTimeout: [10114, 'session timeout'],
  idleTimeout: [10114, 'time out'],
  undecodableFrame: [10163, 'parse request json error'],
  encodeFailed: [10400, 'marshal pb message fail'],
  malformedInput: [10401, 'malformed request message'],
  unsupported: [10600, "can't find reg event to exec request"],
  initFailed: [10901, 'plugin init failed'],
  finiFailed: [10902, 'plugin fini failed'],
  loadFailed: [10903, 'plugin load resource failed'],
  alreadyLoaded: [10903, 'resource is loaded already; AIHotword replaces its content'],
  unloadFailed: [10904, 'plugin unload resource failed'],
  createFailed: [10905, 'plugin create failed'],
  destroyFailed: [10906, 'plugin destroy failed'],
  writeFailed: [10907, 'plugin write failed'],
  readFailed: [10908, 'plugin read failed'],
  execFailed: [10909, 'plugin exec failed'],
  callbackFailed: [10910, 'plugin callback failed'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorName = keyof typeof table;

interface Details {
  readonly message?: string;
  readonly cause?: unknown;
  /** What a person needs to mend it, for logs and for wires whose texts are not fixed by existing clients. */
  readonly detail?: string;
  /** The plugin's own code, where the plugin is what failed. */
  readonly pluginCode?: number;
}

/** The one error class of the loader. Transports map it to their wire in their `status.ts`. */
export class AigesError extends Error {
  override readonly name = 'AigesError';
  readonly kind: ErrorName;
  readonly code: number;
  readonly detail: string | null;
  readonly pluginCode: number | null;

  constructor(kind: ErrorName, details: Details = {}) {
    super(details.message ?? table[kind][1], details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.code = table[kind][0];
    this.detail = details.detail ?? null;
    this.pluginCode = details.pluginCode ?? null;
  }

  /** Turns anything caught into an `AigesError`; what it was stays in `cause` for the log and never reaches a client. */
  static from(caught: unknown): AigesError {
    if (caught instanceof AigesError) return caught;
    return new AigesError('internal', { cause: caught });
  }
}
