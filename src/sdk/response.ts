import { DataStatus, DataType } from '../core/frame.js';
import { brands, isMarked, mark } from './brand.js';

interface ResponseDataFields {
  readonly key: string;
  readonly data: Uint8Array | string;
  /** A `DataType`; without it that of the declared output. */
  readonly type: number | null;
  readonly status: number | null;
  readonly desc: Readonly<Record<string, string>>;
}

/** One output with everything that can be said about it. A plain value does where only the bytes matter. */
export class ResponseData {
  key: string;
  data: Uint8Array | string;
  type: number | null;
  status: number | null;
  desc: Readonly<Record<string, string>>;

  constructor(fields: Partial<ResponseDataFields> = {}) {
    this.key = fields.key ?? '';
    this.data = fields.data ?? '';
    this.type = fields.type ?? null;
    this.status = fields.status ?? null;
    this.desc = fields.desc ?? {};
  }

  /** Number of bytes. */
  get len(): number {
    return typeof this.data === 'string' ? Buffer.byteLength(this.data) : this.data.byteLength;
  }

  setData(data: Uint8Array | string): void {
    this.data = data;
  }

  /** @throws TypeError for a number that is no `DataType` */
  setDataType(type: number): void {
    const known: readonly number[] = Object.values(DataType);
    if (!known.includes(type)) throw new TypeError(`expected a data type, 0 to 4, but found ${type}`);
    this.type = type;
  }
}

mark(ResponseData.prototype, brands.responseData);

export function isResponseData(value: unknown): value is ResponseData {
  return isMarked(value, brands.responseData);
}

/** An answer as wrappers of the Python SDK build it. New wrappers return a plain object. */
export class Response {
  list: ResponseData[] = [];
  error_code = 0;

  /** Makes this the answer of a call that failed. */
  response_err(code: number): this {
    this.error_code = code;
    return this;
  }
}

mark(Response.prototype, brands.response);

export function isResponse(value: unknown): value is Response {
  return isMarked(value, brands.response);
}

/** The data types by the names that wrappers of the Python SDK use. */
export const DataText = DataType.text;
export const DataAudio = DataType.audio;
export const DataImage = DataType.image;
export const DataVideo = DataType.video;
/** The statuses by those names. */
export const DataBegin = DataStatus.begin;
export const DataContinue = DataStatus.continue;
export const DataEnd = DataStatus.end;
export const DataOnce = DataStatus.once;
export const Once = DataStatus.once;
