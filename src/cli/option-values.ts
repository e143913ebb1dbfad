import { InvalidArgumentError } from 'commander';

/** For options that may be repeated. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

export function parseMs(text: string): number {
  return parsePositive(text, 'milliseconds');
}

export function parseBytes(text: string): number {
  return parsePositive(text, 'bytes');
}

function parsePositive(text: string, what: string): number {
  const number = Number(text);
  // Timers take no more.
  if (!Number.isInteger(number) || number <= 0 || number >= 2 ** 31)
    throw new InvalidArgumentError(`expected a positive number of ${what}`);
  return number;
}
