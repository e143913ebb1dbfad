import type { Param, ParamValue } from '../catalogue.js';

/** What a request says about a parameter that reads like this in a form; undefined for nothing. */
export function paramValue({ type, fallback }: Param, text: string): ParamValue | undefined {
  if (type !== 'string') {
    const number = text.trim() === '' ? NaN : Number(text);
    return Number.isNaN(number) || number === fallback ? undefined : number;
  }
  return text === (fallback ?? '') ? undefined : text;
}

/** The limits of a parameter, in words. */
export function limitsOf({ minimum, maximum, minLength, maxLength, fallback, enums }: Param): string[] {
  return [
    ...range(minimum, maximum, ''),
    // A list to choose from has no need of lengths.
    ...(enums.length > 0 ? [] : range(minLength, maxLength, ' characters')),
    ...(fallback === null ? [] : [`default ${String(fallback)}`]),
  ];
}

function range(least: number | null, most: number | null, unit: string): string[] {
  if (least !== null && most !== null) return [`${String(least)} to ${String(most)}${unit}`];
  if (least !== null) return [`at least ${String(least)}${unit}`];
  return most === null ? [] : [`at most ${String(most)}${unit}`];
}
