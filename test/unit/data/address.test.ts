import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, contains, parseAddress, parseRange } from '../../../src/data/address.js';
import { embeddings, privateIPv4, privateIPv6, spellIPv6 } from './spellings.js';

function kindOf(text: string): string | null {
  const address = parseAddress(text);
  if (address === null) throw new Error(`${text} was not read`);
  return classify(address)?.kind ?? null;
}

describe('classify', () => {
  it.each([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['10.255.255.255', 'private'],
    ['100.64.0.0', 'private'],
    ['100.127.255.255', 'private'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['169.254.169.254', 'link-local'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.0.1', 'private'],
    ['198.19.255.255', 'reserved'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['255.255.255.255', 'reserved'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::127.0.0.1', 'reserved'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:a9fe:a9fe', 'link-local'],
    ['::ffff:0:127.0.0.1', 'reserved'],
    ['64:ff9b::10.0.0.1', 'private'],
    ['64:ff9b:1::1', 'private'],
    ['fc00::1', 'private'],
    ['fdff:ffff::1', 'private'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['febf::1', 'link-local'],
    ['fec0::1', 'private'],
    ['ff02::1', 'multicast'],
    ['2001::1', 'reserved'],
    ['2001:db8::1', 'reserved'],
    ['2002:7f00:1::', 'reserved'],
    ['4000::1', 'reserved'],
    ['e000::1', 'reserved'],
  ])('calls %s %s', (text, kind) => {
    expect(kindOf(text)).toBe(kind);
  });

  it.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '223.255.255.255',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2606:4700::1111',
    '2a00:1450:4001::5e',
  ])('calls %s public', (text) => {
    expect(kindOf(text)).toBeNull();
  });

  it('finds every IPv4 address that is not public, wherever IPv6 hides it', () => {
    fc.assert(
      fc.property(privateIPv4, embeddings, (address, embed) => {
        expect(kindOf(embed(address))).not.toBeNull();
      }),
    );
  });

  it('finds every IPv6 address that is not public, however it is written', () => {
    fc.assert(
      fc.property(privateIPv6.chain(spellIPv6), (text) => {
        expect(kindOf(text)).not.toBeNull();
      }),
    );
  });
});

describe('parseAddress', () => {
  it('reads an IPv6 address the same, however it is written', () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    const mapped = (bytes: Uint8Array): boolean => parseAddress(spell(bytes))?.length === 4;
    fc.assert(
      fc.property(
        groups.chain((address) => fc.tuple(fc.constant(address), spellIPv6(address))),
        ([address, text]) => {
          const bytes = Uint8Array.from(address.flatMap((group) => [group >> 8, group & 0xff]));
          fc.pre(!mapped(bytes));
          expect(parseAddress(text)).toEqual(bytes);
        },
      ),
    );
  });

  it.each(['', 'localhost', '127.1', '0x7f.0.0.1', '2130706433', '127.0.0.01', '1.2.3.4.5', '[::1]', ':::', '1::2::3'])(
    'does not read %j',
    (text) => {
      expect(parseAddress(text)).toBeNull();
    },
  );
});

describe('parseRange', () => {
  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', 'fd00::/129', '::ffff:10.0.0.0/95', 'name/8'])(
    'refuses %j',
    (text) => {
      expect(parseRange(text)).toBeNull();
    },
  );

  it('takes a mapped range for the IPv4 range it is', () => {
    expect(parseRange('::ffff:10.0.0.0/104')).toEqual(parseRange('10.0.0.0/8'));
  });
});

describe('contains', () => {
  it("agrees with Node's own list", () => {
    const octets = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 });
    // Few values, so that base and address often share a prefix.
    const similar = fc.array(fc.constantFrom(0, 1, 127, 128, 255), { minLength: 4, maxLength: 4 });
    const dotted = fc.oneof(octets, similar).map((parts) => parts.join('.'));
    fc.assert(
      fc.property(dotted, fc.integer({ min: 1, max: 32 }), dotted, (base, prefix, text) => {
        const list = new BlockList();
        list.addSubnet(base, prefix, 'ipv4');
        const range = parseRange(`${base}/${prefix}`);
        const address = parseAddress(text);
        expect(range !== null && address !== null && contains(range, address)).toBe(list.check(text));
      }),
    );
  });

  it('keeps the two families apart', () => {
    const all = parseRange('0.0.0.0/0');
    const wide = parseAddress('2606:4700::1');
    expect(all !== null && wide !== null && contains(all, wide)).toBe(false);
  });
});

function spell(bytes: Uint8Array): string {
  return (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':');
}
