import { describe, expect, it } from 'vitest';
import { advertisedAddress } from '../../../../src/transports/xsf/address.js';

const local = { host: '192.0.2.7', port: 5090 };
const lan = (): object => ({
  lo: [{ family: 'IPv4', internal: true, address: '127.0.0.1' }],
  eth0: [
    { family: 'IPv6', internal: false, address: 'fe80::1' },
    { family: 'IPv4', internal: false, address: '198.51.100.3' },
  ],
});

describe('advertisedAddress', () => {
  it('never gives out a wildcard', () => {
    expect(advertisedAddress({ advertise: null, host: '0.0.0.0' }, local)).toEqual(local);
    expect(advertisedAddress({ advertise: null, host: '::' }, local)).toEqual(local);
  });

  it('prefers what is configured to be advertised, then a configured address', () => {
    const advertising = { advertise: '203.0.113.9:7000', host: '192.0.2.8' };
    expect(advertisedAddress(advertising, local)).toEqual({ host: '203.0.113.9', port: 7000 });
    expect(advertisedAddress({ ...advertising, advertise: null }, local)).toEqual({ host: '192.0.2.8', port: 5090 });
  });

  it('unwraps an IPv4 address that came in over an IPv6 socket', () => {
    const mapped = { host: '::ffff:192.0.2.7', port: 5090 };
    expect(advertisedAddress({ advertise: null, host: '::' }, mapped)).toEqual(local);
  });

  it('takes the first IPv4 address of the machine for an IPv6 connection', () => {
    const ipv6 = { host: 'fe80::1', port: 5090 };
    expect(advertisedAddress({ advertise: null, host: '::' }, ipv6, lan as never)).toEqual({
      host: '198.51.100.3',
      port: 5090,
    });
    expect(advertisedAddress({ advertise: null, host: '::' }, ipv6, () => ({}))).toEqual({
      host: '127.0.0.1',
      port: 5090,
    });
  });
});
