/** What a plugin says about its own requests and answers. Plain data: it crosses threads and becomes schemas. */
export interface Descriptor {
  readonly service: string;
  readonly version: string;
  readonly params: readonly ParamDescriptor[];
  readonly inputs: readonly BodyDescriptor[];
  readonly outputs: readonly BodyDescriptor[];
}

/**
 * The inputs that end a stream when each of them has ended; null where one need not come: a stream cannot wait for the
 * end of what may never begin.
 */
export function mandatoryInputs(descriptor: Descriptor | null): readonly string[] | null {
  const inputs = descriptor?.inputs ?? [];
  return inputs.length > 0 && inputs.every(({ required }) => required) ? inputs.map(({ name }) => name) : null;
}

export interface ParamDescriptor {
  readonly name: string;
  readonly type: 'string' | 'number' | 'integer' | 'boolean';
  /** A request without it is refused. */
  readonly required: boolean;
  readonly title: string;
  readonly description: string;
  /** What a request without it gets; null for nothing. */
  readonly fallback: string | number | boolean | null;
  /** The only values that are taken; empty for any. */
  readonly enums: readonly (string | number)[];
  /** Characters of a string. */
  readonly minLength: number | null;
  readonly maxLength: number | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
}

/** One named buffer of a request or an answer. */
export interface BodyDescriptor {
  readonly name: string;
  /** A `DataType` value. */
  readonly type: number;
  /** Whether its bytes are UTF-8 text, or JSON as such text. */
  readonly content: 'bytes' | 'text' | 'json';
  /** A request without it is refused; an answer without it is the plugin's mistake. */
  readonly required: boolean;
  readonly title: string;
  readonly description: string;
  /** Attributes that it has where the other side does not say: `encoding`, `format`, `compress`. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly sample: Sample;
}

/** What stands for an input when its author runs the plugin without a client: the bytes, else what a file holds. */
export interface Sample {
  /** Starts at the directory of the plugin. */
  readonly path: string | null;
  readonly bytes: Uint8Array | null;
}
