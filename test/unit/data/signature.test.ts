import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  authorization,
  emptyHash,
  encodePath,
  type SignedRequest,
  signingKey,
  stamp,
} from '../../../src/data/signature.js';

/** The examples of "Authenticating Requests: Using the Authorization Header" in the Amazon S3 API reference. */
const s3 = {
  access: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  service: 's3',
};
const s3Date = new Date('2013-05-24T00:00:00Z');
const s3Host = ['Host', 'examplebucket.s3.amazonaws.com'] as const;

/** The test suite of Signature Version 4. */
const suite = {
  access: 'AKIDEXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  service: 'service',
};
const suiteDate = new Date('2015-08-30T12:36:00Z');
const suiteHeaders = [
  ['Host', 'example.amazonaws.com'],
  ['X-Amz-Date', '20150830T123600Z'],
] as const;

function suiteRequest(changes: Partial<SignedRequest>): SignedRequest {
  return { method: 'GET', path: '/', headers: suiteHeaders, payloadHash: emptyHash, ...changes };
}

const anyText = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString());

describe('authorization', () => {
  it('signs the published GET of an object', () => {
    const headers = [
      s3Host,
      ['Range', 'bytes=0-9'],
      ['x-amz-content-sha256', emptyHash],
      ['x-amz-date', stamp(s3Date)],
    ] as const;
    expect(authorization({ method: 'GET', path: '/test.txt', headers, payloadHash: emptyHash }, s3, s3Date)).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, ' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
  });

  it('signs the published PUT of an object', () => {
    const payloadHash = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072';
    const headers = [
      s3Host,
      ['Date', 'Fri, 24 May 2013 00:00:00 GMT'],
      ['x-amz-content-sha256', payloadHash],
      ['x-amz-date', stamp(s3Date)],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    ] as const;
    const path = `/${encodePath('test$file.text')}`;
    expect(authorization({ method: 'PUT', path, headers, payloadHash }, s3, s3Date)).toContain(
      'Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    );
  });

  it.each([
    ['get-vanilla', suiteRequest({}), '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'get-utf8',
      suiteRequest({ path: encodePath('/ሴ') }),
      '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85',
    ],
    [
      'get-header-value-trim',
      suiteRequest({ headers: [...suiteHeaders, ['My-Header1', ' value1'], ['My-Header2', ' "a   b   c"']] }),
      'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    ],
  ])('signs %s of the test suite', (_name, request, signature) => {
    expect(authorization(request, suite, suiteDate)).toContain(`Signature=${signature}`);
  });

  it("signs a key of odd characters as Amazon's own library (botocore) does", () => {
    const headers = [
      ['host', 'minio.example:9000'],
      ['x-amz-content-sha256', emptyHash],
      ['x-amz-date', stamp(s3Date)],
    ] as const;
    const path = encodePath("/photos/x/é (1)+'*!.png?#%");
    const signer = { access: 'AKIDTEST', secret: 'se/cret+key=', region: 'eu-central-1', service: 's3' };
    expect(authorization({ method: 'GET', path, headers, payloadHash: emptyHash }, signer, s3Date)).toContain(
      'Signature=42a083859ab9ea0947a4633929ba79083da6c0472d1da9f2f6be60f913b4b7dd',
    );
  });

  it('derives the published signing key', () => {
    expect(signingKey({ ...suite, service: 'iam' }, suiteDate).toString('hex')).toBe(
      'c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9',
    );
  });
});

describe('encodePath', () => {
  it('keeps the unreserved characters and the slashes', () => {
    expect(encodePath('/a/B.9-_~')).toBe('/a/B.9-_~');
  });

  it("encodes what encodeURIComponent leaves and every byte of the rest, a key's percent signs too", () => {
    expect(encodePath("a b+c!'()*%2F?#é")).toBe('a%20b%2Bc%21%27%28%29%2A%252F%3F%23%C3%A9');
  });

  it('encodes any key to something that decodes to it', () => {
    fc.assert(
      fc.property(anyText, (key) => {
        const path = encodePath(key);
        expect(path).toMatch(/^(?:[\w.~/-]|%[\dA-F]{2})*$/);
        expect(decodeURIComponent(path)).toBe(key);
      }),
    );
  });

  it('does not fail on half a character', () => {
    expect(encodePath('\ud800')).toBe('%EF%BF%BD');
  });
});
