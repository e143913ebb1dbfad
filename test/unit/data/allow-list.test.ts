import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/data/address.js';
import { AllowList } from '../../../src/data/allow-list.js';
import { embeddings, privateIPv4, privateIPv6, spellIPv6 } from './spellings.js';

const publicAddress = '93.184.215.14';

function refusal(patterns: readonly string[], host: string, address = publicAddress, port = 443): string | null {
  const parsed = parseAddress(address);
  if (parsed === null) throw new Error(`${address} was not read`);
  return new AllowList(patterns).refusal(host, port, parsed);
}

describe('AllowList', () => {
  it.each([
    'http://example.com',
    'example.com/path',
    'example.com:0',
    'example.com:65536',
    'example.com:x',
    '*.*.com',
    'ex*mple.com',
    '.example.com',
    '',
    '*.',
    ':80',
    '10.0.0.0/33',
    '127.1',
    '0x7f.0.0.1',
    'a b',
    'example.com?x',
    'example%2ecom',
    '[::1',
    'user@example.com',
  ])('refuses the pattern %j and says what is expected', (pattern) => {
    expect(() => new AllowList([pattern])).toThrow(
      `${JSON.stringify(pattern)} is not a place to allow: expected a host`,
    );
  });

  it('allows nothing when it is empty', () => {
    const list = new AllowList([]);
    expect(list.empty).toBe(true);
    expect(list.mayAllow('example.com', 443)).toBe(false);
    expect(refusal([], 'example.com')).toBe('unlisted');
  });

  it.each([
    ['example.com', 'example.com'],
    ['Example.COM.', 'example.com'],
    ['example.com', 'example.com.'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['*.example.com', 'a.example.com'],
    ['*.example.com', 'a.b.example.com'],
    ['example.com:443', 'example.com'],
    ['*.example.com:443', 'a.example.com'],
    ['*', 'anything.example'],
    ['93.184.215.14', 'any.name'],
    ['93.184.0.0/16:443', 'any.name'],
  ])('with %s allows %s at a public address', (pattern, host) => {
    expect(refusal([pattern], host)).toBeNull();
  });

  it.each([
    ['example.com', 'example.org'],
    ['example.com', 'a.example.com'],
    ['example.com', 'badexample.com'],
    ['*.example.com', 'example.com'],
    ['*.example.com', 'badexample.com'],
    ['example.com:80', 'example.com'],
    ['93.184.215.14:80', 'any.name'],
    ['93.184.215.15', 'any.name'],
  ])('with %s does not allow %s', (pattern, host) => {
    expect(refusal([pattern], host)).toBe('unlisted');
  });

  it.each([
    ['10.0.0.0/8', '10.1.2.3'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3', '::ffff:10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['127.0.0.1:443', '127.0.0.1'],
    ['::1', '::1'],
    ['[::1]:443', '::1'],
    ['[fd00::/8]:443', 'fd12::1'],
    ['64:ff9b::10.0.0.0/104', '64:ff9b::10.1.2.3'],
  ])('with %s allows %s, which is not public', (pattern, address) => {
    expect(refusal([pattern], 'any.name', address)).toBeNull();
  });

  it.each([
    ['0.0.0.0/0', '127.0.0.1', 'loopback'],
    ['0.0.0.0/1', '10.0.0.1', 'private'],
    ['::/0', '::1', 'loopback'],
    ['64:ff9b::/96', '64:ff9b::7f00:1', 'loopback'],
    ['10.0.0.0/8:80', '10.0.0.1', 'private'],
    ['10.0.0.0/8', '172.16.0.1', 'private'],
  ])('with %s does not allow %s', (pattern, address, kind) => {
    expect(refusal([pattern], 'any.name', address)).toBe(kind);
  });

  it('lets no name open an address that is not public, however the address is written', () => {
    const spelled = fc.oneof(
      fc.tuple(privateIPv4, embeddings).map(([dotted, embed]) => embed(dotted)),
      privateIPv6.chain(spellIPv6),
    );
    fc.assert(
      fc.property(spelled, (address) => {
        expect(refusal(['*', 'example.com', '0.0.0.0/0', '::/0'], 'example.com', address)).not.toBeNull();
      }),
    );
  });
});
