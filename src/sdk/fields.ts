import type { BodyDescriptor, ParamDescriptor } from '../core/descriptor.js';
import { DataType } from '../core/frame.js';
import { brands, isMarked, mark } from './brand.js';

declare const valueType: unique symbol;
declare const isRequired: unique symbol;

interface Described {
  /** Name on the wire; without it the name of the property that holds the field. */
  readonly key?: string;
  readonly title?: string;
  readonly description?: string;
}

/** A named value of a request. Wrappers use its subclasses. */
export abstract class ParamField<T = unknown> {
  /** For the type system only: what a request holds under this name. */
  declare readonly [valueType]: T;
  readonly key: string | null;
  readonly #shape: Omit<ParamDescriptor, 'name'>;

  protected constructor(options: Described, shape: Shape) {
    this.key = readKey(options.key);
    this.#shape = {
      required: false,
      fallback: null,
      enums: [],
      minLength: null,
      maxLength: null,
      minimum: null,
      maximum: null,
      title: options.title ?? '',
      description: options.description ?? '',
      ...shape,
    };
    const { fallback } = this.#shape;
    const fault = fallback === null ? null : faultOf(fallback, this.#shape);
    if (fault !== null) throw new TypeError(`the default ${JSON.stringify(fallback)} does not fit: ${fault}`);
  }

  describe(name: string): ParamDescriptor {
    return { name: this.key ?? name, ...this.#shape };
  }
}

type Shape = Pick<ParamDescriptor, 'type'> & Partial<Omit<ParamDescriptor, 'name' | 'type'>>;

mark(ParamField.prototype, brands.param);

/** A parameter is there when it is required or has a default; otherwise it may be missing. */
type Present<T, Required extends boolean, Default> = Required extends true
  ? T
  : Default extends undefined
    ? T | undefined
    : T;

export class StringParamField<
  const Enum extends string = string,
  const Required extends boolean = false,
  const Default extends Enum | undefined = undefined,
> extends ParamField<Present<Enum, Required, Default>> {
  /** @throws TypeError when the default contradicts the constraints */
  constructor(
    options: Described & {
      readonly required?: Required;
      /** What a request without the parameter gets. */
      readonly value?: Default;
      readonly enums?: readonly Enum[];
      /** In characters. */
      readonly minLength?: number;
      /** In characters; 1024 unless said otherwise. */
      readonly maxLength?: number;
    } = {},
  ) {
    const { required, value, enums, minLength, maxLength } = options;
    super(options, {
      type: 'string',
      required: required ?? false,
      fallback: value ?? null,
      enums: enums ?? [],
      minLength: minLength ?? null,
      maxLength: maxLength ?? 1024,
    });
  }
}

interface NumberOptions<Enum extends number, Required extends boolean, Default> extends Described {
  readonly required?: Required;
  /** What a request without the parameter gets. */
  readonly value?: Default;
  readonly enums?: readonly Enum[];
  readonly minimum?: number;
  readonly maximum?: number;
}

export class NumberParamField<
  const Enum extends number = number,
  const Required extends boolean = false,
  const Default extends Enum | undefined = undefined,
> extends ParamField<Present<Enum, Required, Default>> {
  /** @throws TypeError when the default contradicts the constraints */
  constructor(options: NumberOptions<Enum, Required, Default> = {}) {
    super(options, numberShape('number', options));
  }
}

export class IntegerParamField<
  const Enum extends number = number,
  const Required extends boolean = false,
  const Default extends Enum | undefined = undefined,
> extends ParamField<Present<Enum, Required, Default>> {
  /** @throws TypeError when the default contradicts the constraints */
  constructor(options: NumberOptions<Enum, Required, Default> = {}) {
    super(options, numberShape('integer', options));
  }
}

function numberShape(type: 'number' | 'integer', options: NumberOptions<number, boolean, number | undefined>): Shape {
  const { required, value, enums, minimum, maximum } = options;
  return {
    type,
    required: required ?? false,
    fallback: value ?? null,
    enums: enums ?? [],
    minimum: minimum ?? null,
    maximum: maximum ?? null,
  };
}

export class BooleanParamField<
  const Required extends boolean = false,
  const Default extends boolean | undefined = undefined,
> extends ParamField<Present<boolean, Required, Default>> {
  constructor(
    options: Described & {
      readonly required?: Required;
      /** What a request without the parameter gets. */
      readonly value?: Default;
    } = {},
  ) {
    super(options, { type: 'boolean', required: options.required ?? false, fallback: options.value ?? null });
  }
}

/** Says what keeps a value from being taken; null when nothing does. */
export function faultOf(value: string | number | boolean, shape: Omit<ParamDescriptor, 'name'>): string | null {
  if (typeof value === 'string') {
    const length = Array.from(value).length;
    if (shape.minLength !== null && length < shape.minLength) return `at least ${shape.minLength} characters`;
    if (shape.maxLength !== null && length > shape.maxLength) return `at most ${shape.maxLength} characters`;
  }
  if (typeof value === 'number') {
    if (shape.type === 'integer' && !Number.isSafeInteger(value)) return 'an integer';
    if (shape.minimum !== null && value < shape.minimum) return `${shape.minimum} or more`;
    if (shape.maximum !== null && value > shape.maximum) return `${shape.maximum} or less`;
  }
  if (typeof value !== 'boolean' && shape.enums.length > 0 && !shape.enums.includes(value)) {
    return `one of ${shape.enums.map((each) => JSON.stringify(each)).join(', ')}`;
  }
  return null;
}

/** What is sent for an input when its author runs the wrapper without a client: a file, or the bytes themselves. */
interface Sample<T> {
  /** Starts at the directory of the wrapper. */
  readonly path?: string;
  readonly value?: T;
}

interface BodyOptions<Required extends boolean> extends Described {
  /** Whether a request or an answer must hold it; true unless said otherwise. */
  readonly required?: Required;
  readonly encoding?: string;
  readonly format?: string;
  readonly compress?: string;
}

/** A named buffer of a request or an answer. Wrappers use its subclasses. */
export abstract class BodyField<T = unknown, Required extends boolean = boolean> {
  /** For the type system only: what the buffer holds. */
  declare readonly [valueType]: T;
  declare readonly [isRequired]: Required;
  readonly key: string | null;
  readonly #shape: Omit<BodyDescriptor, 'name'>;

  protected constructor(
    type: number,
    content: BodyDescriptor['content'],
    options: BodyOptions<Required> & { readonly path?: string },
    sample: Uint8Array | null,
    attributes: Readonly<Record<string, string>>,
  ) {
    this.key = readKey(options.key);
    const given = Object.entries({
      encoding: options.encoding,
      format: options.format,
      compress: options.compress,
    }).filter((entry): entry is [string, string] => entry[1] !== undefined);
    this.#shape = {
      type,
      content,
      required: options.required ?? true,
      title: options.title ?? '',
      description: options.description ?? '',
      attributes: { ...attributes, ...Object.fromEntries(given) },
      // A copy: what is sent to other threads takes everything around it along.
      sample: { path: options.path ?? null, bytes: sample === null ? null : new Uint8Array(sample) },
    };
  }

  describe(name: string): BodyDescriptor {
    return { name: this.key ?? name, ...this.#shape };
  }
}

mark(BodyField.prototype, brands.body);

/** UTF-8 text. */
export class StringBodyField<const Required extends boolean = true> extends BodyField<TextBody, Required> {
  constructor(options: BodyOptions<Required> & Sample<string | Uint8Array> = {}) {
    super(DataType.text, 'text', options, bytesOf(options.value), {
      encoding: 'utf8',
      format: 'plain',
      compress: 'raw',
    });
  }
}

/** A JSON document as UTF-8 text. `T` is what the author says it holds; only that it is JSON is checked. */
export class JsonBodyField<T = unknown, const Required extends boolean = true> extends BodyField<
  JsonBody<T>,
  Required
> {
  constructor(options: BodyOptions<Required> & Sample<T> = {}) {
    const sample = options.value === undefined ? null : Buffer.from(JSON.stringify(options.value));
    super(DataType.text, 'json', options, sample, { encoding: 'utf8', format: 'json', compress: 'raw' });
  }
}

export class ImageBodyField<const Required extends boolean = true> extends BodyField<BytesBody, Required> {
  constructor(options: BodyOptions<Required> & Sample<Uint8Array> = {}) {
    super(DataType.image, 'bytes', options, options.value ?? null, { encoding: 'jpg' });
  }
}

export class AudioBodyField<const Required extends boolean = true> extends BodyField<BytesBody, Required> {
  constructor(options: BodyOptions<Required> & Sample<Uint8Array> = {}) {
    super(DataType.audio, 'bytes', options, options.value ?? null, { encoding: 'raw' });
  }
}

export class VideoBodyField<const Required extends boolean = true> extends BodyField<BytesBody, Required> {
  constructor(options: BodyOptions<Required> & Sample<Uint8Array> = {}) {
    super(DataType.video, 'bytes', options, options.value ?? null, {});
  }
}

export function isParamField(value: unknown): value is ParamField {
  return isMarked(value, brands.param);
}

export function isBodyField(value: unknown): value is BodyField {
  return isMarked(value, brands.body);
}

/** Marks of what a body holds; types only. */
export interface BytesBody {
  readonly content: 'bytes';
}
export interface TextBody {
  readonly content: 'text';
}
export interface JsonBody<T> {
  readonly content: 'json';
  readonly value: T;
}

/** What a request holds under the name of a parameter field. */
export type ParamValue<F> = F extends { readonly [valueType]: infer T } ? T : never;
/** What a buffer of this field holds, as one of the marks above. */
export type BodyContent<F> = F extends { readonly [valueType]: infer T } ? T : never;
export type IsRequired<F> = F extends { readonly [isRequired]: infer R } ? R : never;

function readKey(key: string | undefined): string | null {
  if (key === undefined) return null;
  if (key === '' || key.includes('\0')) throw new TypeError(`expected a name for key but found ${JSON.stringify(key)}`);
  return key;
}

function bytesOf(value: string | Uint8Array | undefined): Uint8Array | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? Buffer.from(value) : value;
}
