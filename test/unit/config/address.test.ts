import { describe, expect, test } from 'vitest';
import { collide, isDialable, isHost, parseAddress } from '../../../src/config/address.js';
import { formatAddress } from '../../../src/core/address.js';

describe('addresses', () => {
  test.each([
    '',
    '1888',
    'localhost',
    '127.0.0.1:65536',
    '::1:1888',
    '[127.0.0.1]:1',
    'a b:1',
    'http://a:1',
    '1.2.3:80',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  test.each([
    ['127.0.0.1:1888', '127.0.0.1', 1888],
    ['localhost:0', 'localhost', 0],
    ['[::1]:1888', '::1', 1888],
    [':1888', '0.0.0.0', 1888],
    [':', '0.0.0.0', 0],
  ])('%j has host %s and port %i', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
  });

  test.each(['127.0.0.1:1888', '[::1]:0'])('%s survives being written', (text) => {
    expect(formatAddress(parseAddress(text) ?? { host: '', port: 0 })).toBe(text);
  });
});

test.each(['10.0.0', '256.1.1.1', '0.0.0.0:80', '[::]', '-a', ''])('%j is not a host', (text) => {
  expect(isHost(text)).toBe(false);
});

test.each(['0.0.0.0', '::', 'localhost', 'my-node.local'])('%j is a host', (text) => {
  expect(isHost(text)).toBe(true);
});

test('clients cannot dial wildcards, names, IPv6 or port 0', () => {
  for (const text of ['0.0.0.0:5090', 'node:5090', '[::1]:5090', '10.0.0.5:0', '10.0.0.5']) {
    expect(isDialable(text), text).toBe(false);
  }
  expect(isDialable('10.0.0.5:5090')).toBe(true);
});

test('a wildcard collides with every host, a free port with nothing', () => {
  const at = (host: string, port: number): { host: string; port: number } => ({ host, port });
  expect(collide(at('0.0.0.0', 80), at('127.0.0.1', 80))).toBe(true);
  expect(collide(at('10.0.0.1', 80), at('10.0.0.1', 80))).toBe(true);
  expect(collide(at('10.0.0.1', 80), at('10.0.0.2', 80))).toBe(false);
  expect(collide(at('0.0.0.0', 0), at('0.0.0.0', 0))).toBe(false);
});
