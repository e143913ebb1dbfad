import { AigesError } from '../core/errors.js';
import { DataType } from '../core/frame.js';
import { formatPath, isObject } from '../core/json.js';
import { describeFaults } from './faults.js';
import { type JsonSchema, without } from './json-schema.js';
import { compileRules, type DataSizes, type ValidateFunction } from './rules.js';
import type { ServiceSchema } from './service-schema.js';
import { settle, type Shape, shapeOf } from './shape.js';

export interface RequestCheckOptions {
  /** What the service takes now. Rules are made anew when it is another object. */
  readonly schema: () => ServiceSchema;
  readonly unknownFields: 'ignore' | 'warn' | 'refuse';
  /** Told about each unknown field once, for `warn`. */
  readonly onUnknown: (path: string) => void;
}

/** What is special about a request; see `Endpoint` of the transports. */
export interface CheckOptions {
  readonly begins?: boolean;
  readonly continues?: boolean;
  readonly apart?: ReadonlyMap<string, Uint8Array>;
  readonly unread?: readonly string[];
}

/** Fields that are remembered as reported. Requests choose their names. */
const mostReported = 100;
/** Fields of one request that are looked at. */
const mostUnknown = 20;

/** Checks requests of one service, as the JSON documents that they are, before they are decoded. */
export class RequestCheck {
  readonly #options: RequestCheckOptions;
  readonly #reported = new Set<string>();
  #rules: Rules;

  constructor(options: RequestCheckOptions) {
    this.#options = options;
    this.#rules = new Rules(options.schema());
  }

  /**
   * Checks a document and fills in what it leaves out, in place.
   * @throws AigesError `invalidInput` that names the paths, the rules and what was found
   */
  check(document: unknown, options: CheckOptions = {}): void {
    const schema = this.#options.schema();
    if (schema !== this.#rules.schema) this.#rules = new Rules(schema);
    const unknown = (options.unread ?? []).slice(0, mostUnknown);
    const fault = this.#rules.apply(document, options, unknown);
    if (fault !== null) throw invalid(fault);
    if (unknown.length > 0) this.#report(unknown);
  }

  #report(unknown: readonly string[]): void {
    const { unknownFields, onUnknown } = this.#options;
    if (unknownFields === 'refuse') {
      throw invalid(
        unknown
          .map((path) => `${path} is no field of this service`)
          .slice(0, 3)
          .join('; '),
      );
    }
    if (unknownFields === 'ignore') return;
    for (const path of unknown) {
      if (this.#reported.size >= mostReported || this.#reported.has(path)) continue;
      this.#reported.add(path);
      onUnknown(path);
    }
  }
}

/** What is compiled from one schema. */
class Rules {
  readonly schema: ServiceSchema;
  readonly #shape: Shape;
  /** null where nothing is known that a request could break. */
  readonly #whole: ValidateFunction | null;
  #beginning: ValidateFunction | null = null;
  #packet: ValidateFunction | null = null;

  constructor(schema: ServiceSchema) {
    this.schema = schema;
    this.#shape = shapeOf(schema.request);
    this.#whole = schema.descriptor === null ? null : compileRules(schema.request);
  }

  /**
   * @param unknown gets the paths of fields that the service does not know
   * @returns what is wrong with the document; null when nothing is
   */
  apply(
    document: unknown,
    { begins = false, continues = false, apart }: CheckOptions,
    unknown: string[],
  ): string | null {
    // What is no object at all is for the codec to refuse.
    if (!isObject(document)) return null;
    if (continues) return this.#applyToPacket(document);
    if (this.#whole === null) {
      settle(document, this.#shape, {
        onUnknown: (keys) => {
          if (unknown.length < mostUnknown) unknown.push(formatPath(keys));
        },
      });
      return null;
    }
    const given = this.#unify(document);
    const { parameterKey } = this.schema;
    const rename = (keys: readonly string[]): readonly string[] =>
      keys[0] === 'parameter' && keys[1] === parameterKey ? ['parameter', given, ...keys.slice(2)] : keys;
    const asWritten: (() => void)[] = [];
    settle(document, this.#shape, {
      onUnknown: (keys) => {
        if (unknown.length < mostUnknown) unknown.push(formatPath(rename(keys)));
      },
      onRead: (restore) => asWritten.push(restore),
    });
    const validate = begins ? (this.#beginning ??= compileRules(beginningOf(this.schema.request))) : this.#whole;
    const holds = validate.call(apart === undefined ? noSizes : sizesOf(document['payload'], apart), document);
    if (!holds) return describeFaults(validate.errors ?? [], rename);
    // Only the rules want another type. The plugin gets text, as it would over gRPC.
    for (const restore of asWritten) restore();
    return null;
  }

  #applyToPacket(document: Readonly<Record<string, unknown>>): string | null {
    if (this.#whole === null) return null;
    const validate = (this.#packet ??= compileRules(packetOf(this.schema.request)));
    return validate(document) ? null : describeFaults(validate.errors ?? []);
  }

  /**
   * Gives a document the sections that it leaves out, so that what is missing in them can be filled in or named. The
   * only object of parameters goes under the name that the rules have for it: clients name services in ways of their
   * own, and the plugin gets the parameters of all names.
   * @returns the name that the request has for it
   */
  #unify(document: Record<string, unknown>): string {
    const { parameterKey: key } = this.schema;
    for (const section of ['header', 'parameter', 'payload']) document[section] ??= {};
    const { parameter } = document;
    if (!isObject(parameter)) return key;
    const known = this.#shape.members.get('parameter')?.members;
    const names = Object.keys(parameter);
    if (names.some((name) => known?.has(name))) return key;
    const [only] = names;
    if (only === undefined || names.length > 1) {
      // The later object wins: what is filled in must not replace what was said.
      document['parameter'] = { [key]: {}, ...parameter };
      return key;
    }
    document['parameter'] = { [key]: parameter[only] };
    return only;
  }
}

const noSizes: DataSizes = new Map();

function sizesOf(payload: unknown, apart: ReadonlyMap<string, Uint8Array>): DataSizes {
  const inputs = isObject(payload) ? Object.entries(payload) : [];
  return new Map(inputs.map(([name, input]) => [input, apart.get(name)?.byteLength ?? null]));
}

/** The same without inputs that have to be there, and without data that has to be in them. */
function beginningOf(request: JsonSchema): JsonSchema {
  const { properties = {}, required = [] } = request as { properties?: Schemas; required?: readonly string[] };
  const payload = without(properties['payload'] ?? {}, 'required');
  const inputs = mapInputs(request, (input) => {
    const { allOf = [] } = input as { allOf?: readonly JsonSchema[] };
    return { ...without(input, 'required'), allOf: [...allOf, kindRule(input)] };
  });
  return {
    ...request,
    required: required.filter((name) => name !== 'payload'),
    properties: { ...properties, payload: { ...payload, properties: inputs } },
  };
}

/** Only what holds for every packet of a stream. */
function packetOf(request: JsonSchema): JsonSchema {
  return { properties: { payload: { properties: mapInputs(request, kindRule) } } };
}

const kinds = Object.keys(DataType);

/** That data in an input, if there is any, is of the kind that a whole request must have there. */
function kindRule({ required }: JsonSchema): JsonSchema {
  const needed = kinds.filter((kind) => Array.isArray(required) && required.includes(kind));
  if (needed.length === 0) return {};
  return { if: { anyOf: kinds.map((kind) => ({ required: [kind] })) }, then: { required: needed } };
}

function mapInputs(request: JsonSchema, map: (input: JsonSchema) => JsonSchema): Schemas {
  const { properties } = request as { properties?: Readonly<Record<string, { properties?: Schemas }>> };
  const inputs = Object.entries(properties?.['payload']?.properties ?? {});
  return Object.fromEntries(inputs.map(([name, input]) => [name, map(input)]));
}

type Schemas = Readonly<Record<string, JsonSchema>>;

function invalid(detail: string): AigesError {
  return new AigesError('invalidInput', { detail });
}
