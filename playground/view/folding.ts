import { isObject, type Json } from '../json.js';

/** One line of a folded JSON value. */
export interface Fold {
  /** Name in its object, or index in its array; null for the root. */
  readonly label: string | null;
  readonly value: Json;
}

/** How many members a fold shows at once. */
export const pageSize = 100;

/** Whether a value has members that can be folded away. */
export function foldable(value: Json): value is Exclude<Json, null | boolean | number | string> {
  return typeof value === 'object' && value !== null && sizeOf(value) > 0;
}

/** What stands for a folded value. */
export function summaryOf(value: Json): string {
  if (isObject(value)) return `{ ${count(sizeOf(value), 'member')} }`;
  if (Array.isArray(value)) return `[ ${count(value.length, 'item')} ]`;
  return JSON.stringify(value);
}

/** Members of a value, a page of them. */
export function membersOf(value: Json, from: number): readonly Fold[] {
  const to = from + pageSize;
  if (Array.isArray(value)) {
    return (value as readonly Json[])
      .slice(from, to)
      .map((member, index) => ({ label: String(from + index), value: member }));
  }
  if (!isObject(value)) return [];
  return Object.entries(value)
    .slice(from, to)
    .map(([label, member]) => ({ label, value: member }));
}

export function sizeOf(value: Json): number {
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

function count(number: number, what: string): string {
  return `${String(number)} ${what}${number === 1 ? '' : 's'}`;
}
