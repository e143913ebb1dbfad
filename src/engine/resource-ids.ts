import { AigesError } from '../core/errors.js';

/**
 * Reads the ids of personalised resources: separated by commas, each of them once.
 * @param key names the text in the error
 * @throws AigesError `invalidInput`
 */
export function parseResourceIds(text: string, key: string): readonly number[] {
  if (text.trim() === '') return [];
  return [...new Set(text.split(',').map((each) => parseResourceId(each, key)))];
}

/** @throws AigesError `invalidInput` */
export function parseResourceId(text: string, key: string): number {
  const id = /^\s*\d{1,10}\s*$/.test(text) ? Number(text) : 0;
  if (id >= 1 && id <= 0xffffffff) return id;
  throw new AigesError('invalidInput', {
    detail: `expected a decimal number from 1 to 4294967295 for ${key} but found ${JSON.stringify(text)}`,
  });
}
