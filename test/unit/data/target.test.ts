import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../../src/data/target.js';

const anyText = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString());

describe('parseTarget', () => {
  it.each([
    ['', 'it is not a URL'],
    ['example.com/a', 'it is not a URL'],
    ['//example.com/a', 'it is not a URL'],
    ['http://', 'it is not a URL'],
    ['http://exa mple.com', 'it is not a URL'],
    ['ftp://example.com/a', 'it is neither http nor https'],
    ['file:///etc/passwd', 'it is neither http nor https'],
    ['data:text/plain,x', 'it is neither http nor https'],
    ['gopher://example.com', 'it is neither http nor https'],
    ['http://user@example.com/', 'it holds credentials'],
    ['http://:word@example.com/', 'it holds credentials'],
  ])('does not take %j: %s', (text, reason) => {
    expect(parseTarget(text)).toEqual({ reason });
  });

  it('splits a URL into what a request needs', () => {
    expect(parseTarget('HTTPS://Example.com:8443/a%20b?c=d#e')).toEqual({
      secure: true,
      host: 'example.com',
      port: 8443,
      authority: 'example.com:8443',
      path: '/a%20b?c=d',
    });
  });

  it('knows the default ports and takes the brackets off an address', () => {
    expect(parseTarget('http://[::1]/')).toMatchObject({ host: '::1', port: 80, authority: '[::1]' });
    expect(parseTarget('https://example.com')).toMatchObject({ port: 443, path: '/' });
  });

  it('reads a location that is relative to where it came from', () => {
    const base = parseTarget('https://example.com:8443/a/b?c');
    if ('reason' in base) throw new Error(base.reason);
    expect(parseTarget('d', base)).toEqual({ ...base, path: '/a/d' });
    expect(parseTarget('//other.example/', base)).toMatchObject({ secure: true, host: 'other.example', port: 443 });
    expect(parseTarget('file:///etc/passwd', base)).toEqual({ reason: 'it is neither http nor https' });
  });

  it('never throws, and gives nothing that a request could not send', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          anyText.map((s) => `http://h/${s}`),
        ),
        (text) => {
          const target = parseTarget(text);
          if ('reason' in target) return;
          expect(target.path).toMatch(/^\/[\x21-\x7e]*$/);
          expect(target.authority).toMatch(/^[\x21-\x7e]+$/);
        },
      ),
    );
  });
});
