import type { BodyDescriptor, Descriptor } from '../../core/descriptor.js';
import { DataStatus, dataTypeName, type Frame, isFinal } from '../../core/frame.js';

/**
 * Compares the answer of a one-shot call with what the wrapper declares.
 * @returns a line for everything that is not as declared
 */
export function checkAnswer({ outputs }: Descriptor, frames: readonly Frame[]): string[] {
  const status = frames
    .filter((frame) => frame.status !== DataStatus.once)
    .map(({ key, status }) => `output ${quote(key)}: expected status ${DataStatus.once} (once) but found ${status}`);
  return [
    ...missing(outputs, frames),
    ...twice(frames),
    ...frames.flatMap((frame) => checkFrame(outputs, frame)),
    ...status,
  ];
}

/** The same for all results of a stream. */
export function checkResults({ outputs }: Descriptor, results: readonly (readonly Frame[])[]): string[] {
  const frames = results.flat();
  const last = results.at(-1) ?? [];
  const ended = last.some(isFinal);
  return [
    ...missing(outputs, frames),
    ...new Set(results.flatMap(twice)),
    ...new Set(frames.flatMap((frame) => checkFrame(outputs, frame))),
    ...(ended ? [] : ['the stream gave no final result']),
  ];
}

function missing(outputs: readonly BodyDescriptor[], frames: readonly Frame[]): string[] {
  return outputs
    .filter(({ name, required }) => required && !frames.some(({ key }) => key === name))
    .map(({ name }) => `output ${quote(name)} is declared but missing`);
}

function twice(frames: readonly Frame[]): string[] {
  const keys = frames.map(({ key }) => key);
  return [...new Set(keys.filter((key, n) => keys.indexOf(key) !== n))].map((key) => `output ${quote(key)} came twice`);
}

function checkFrame(outputs: readonly BodyDescriptor[], frame: Frame): string[] {
  const output = outputs.find(({ name }) => name === frame.key);
  if (output === undefined) {
    const names = outputs.map(({ name }) => name).join(', ');
    return [`output ${quote(frame.key)} is not declared; declared are ${names === '' ? 'none' : names}`];
  }
  if (frame.type !== output.type) {
    return [`output ${quote(frame.key)}: expected type ${nameOf(output.type)} but found ${nameOf(frame.type)}`];
  }
  // The end of a stream may come without anything to say.
  if (output.content === 'bytes' || (frame.data.byteLength === 0 && frame.status === DataStatus.end)) return [];
  return checkText(output, frame);
}

function checkText({ name, content }: BodyDescriptor, { data }: Frame): string[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch {
    return [`output ${quote(name)}: expected UTF-8 text but found other bytes`];
  }
  if (content !== 'json') return [];
  try {
    JSON.parse(text);
    return [];
  } catch (error) {
    return [`output ${quote(name)}: expected JSON: ${(error as Error).message}`];
  }
}

/** `DataType` by number, for people. */
export function nameOf(type: number): string {
  return dataTypeName(type) ?? `type ${type}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
