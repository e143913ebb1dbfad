import { expect, test } from 'vitest';
import { suggest } from '../../../src/config/suggestion.js';

const keys = ['host', 'port', 'maxreceive', 'maxsend', 'advertise'];

test.each(['xyz', 'fc', '', 'p'])('finds nothing close to %j', (word) => {
  expect(suggest(word, keys)).toBeNull();
});

test.each([
  ['prot', 'port'],
  ['ports', 'port'],
  ['maxrecieve', 'maxreceive'],
  ['MAXSEND', 'maxsend'],
  ['advertize', 'advertise'],
])('%s finds %s', (word, key) => {
  expect(suggest(word, keys)).toBe(key);
});
