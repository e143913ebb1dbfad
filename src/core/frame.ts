/**
 * What the bytes of a frame are. Values equal the C ABI and the wire. Newer clients may send other values;
 * they pass through to the plugin unchanged, which is why `Frame.type` is a number.
 */
export const DataType = { text: 0, audio: 1, image: 2, video: 3, other: 4 } as const;

export type DataTypeName = keyof typeof DataType;

/** The name of a {@link DataType} value; undefined for one of a newer client. */
export function dataTypeName(type: number): DataTypeName | undefined {
  const names = Object.keys(DataType) as DataTypeName[];
  return names.find((name) => DataType[name] === type);
}

/** Where a frame stands in its stream. Values equal the C ABI and the wire. */
export const DataStatus = { begin: 0, continue: 1, end: 2, once: 3 } as const;

/** Named strings: request parameters, frame descriptions. Insertion order is kept. */
export type StringMap = ReadonlyMap<string, string>;

/** One named buffer on its way to a plugin or back. Built once by a transport's codec or by a runtime. */
export interface Frame {
  readonly key: string;
  /** A view; `.buffer` may hold other requests' bytes around it. */
  readonly data: Uint8Array;
  /** A {@link DataType} value, or an unknown one of a newer client. */
  readonly type: number;
  /** A {@link DataStatus} value, or an unknown one of a newer client. */
  readonly status: number;
  /** Attributes of the buffer: `encoding`, `sample_rate`, … */
  readonly desc: StringMap;
}

/** Whether a frame, or a whole result of that status, is the last of its input or output. */
export function isFinal({ status }: { readonly status: number }): boolean {
  return status === DataStatus.end || status === DataStatus.once;
}

export const emptyMap: StringMap = new Map();
