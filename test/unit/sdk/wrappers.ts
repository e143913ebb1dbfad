import { DataStatus, DataType, type Frame } from '../../../src/core/frame.js';
import type { CallNames, Driver, DriverCall, DriverPort } from '../../../src/sdk/driver.js';

/** What a wrapper has said. */
export class Said implements DriverPort {
  readonly lines: { level: string; message: string; fields: object }[] = [];
  readonly meters: [string, string, number][] = [];
  readonly traces: [string, string, string][] = [];

  log(level: string, message: string, fields: object): void {
    this.lines.push({ level, message, fields });
  }
  meter({ tag }: CallNames, key: string, count: number): void {
    this.meters.push([tag, key, count]);
  }
  trace({ tag }: CallNames, key: string, value: string): void {
    this.traces.push([tag, key, value]);
  }
}

export function callOf(params: Record<string, string> = {}, changes: Partial<DriverCall> = {}): DriverCall {
  return {
    sid: 's1',
    tag: 't1',
    params: new Map(Object.entries(params)),
    resourceIds: [],
    signal: new AbortController().signal,
    deadline: Infinity,
    ...changes,
  };
}

export function textFrame(key: string, text: string, status: number = DataStatus.once): Frame {
  return { key, data: Buffer.from(text), type: DataType.text, status, desc: new Map() };
}

export const textOf = ({ data }: Frame): string => Buffer.from(data).toString();

/** Runs a whole stream: the packets one after the other, then everything that comes back, as text. */
export async function runStream(driver: Driver, packets: readonly (readonly Frame[])[]): Promise<string[]> {
  const stream = driver.open(callOf());
  const writing = (async (): Promise<void> => {
    for (const [n, frames] of packets.entries()) await stream.write(frames, n === packets.length - 1);
  })();
  const results: string[] = [];
  for await (const frames of stream.results()) {
    results.push(...frames.map((frame) => `${frame.key}=${textOf(frame)}/${frame.status}`));
  }
  await writing;
  await stream.close();
  return results;
}
