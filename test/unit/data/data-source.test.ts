import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import { DataStatus, DataType, type Frame } from '../../../src/core/frame.js';
import { createDataSource } from '../../../src/data/data-source.js';
import { privateIPv4, privateIPv6, spellIPv4, spellIPv6 } from './spellings.js';

const never = new AbortController().signal;
const s3 = { dataSrc: 's3', access: 'AKID', secret: 'hush', endpoint: 'http://s3.example', bucket: 'b', key: 'k' };

function frame(desc: Record<string, string>): Frame {
  return {
    key: 'img',
    data: new Uint8Array(),
    type: DataType.image,
    status: DataStatus.once,
    desc: new Map(Object.entries(desc)),
  };
}

/** Resolves one frame without any network; names are where `addresses` says. */
async function failure(
  desc: Record<string, string>,
  allow: readonly string[] = ['*'],
  addresses: readonly string[] = [],
): Promise<AigesError> {
  const located = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const source = createDataSource({ allow }, () => Promise.resolve(located));
  const error = await source.resolve([frame(desc)], never).catch((caught: unknown) => caught);
  if (error instanceof AigesError) return error;
  throw new Error('was not refused');
}

describe('createDataSource', () => {
  it('refuses a pattern that makes no sense', () => {
    expect(() => createDataSource({ allow: ['http://example.com'] })).toThrow(RangeError);
  });
});

describe('resolve', () => {
  it('gives frames that hold their bytes back as they are, also when remote data is off', async () => {
    const frames = [frame({}), frame({ dataSrc: 'client', access: 'kept' })];
    expect(await createDataSource({}).resolve(frames, never)).toBe(frames);
  });

  it('refuses everything remote while nothing is allowed, and names the key to set', async () => {
    for (const desc of [{ dataSrc: 'http', url: 'http://example.com/' }, s3]) {
      expect(await failure(desc, [])).toMatchObject({
        code: 10009,
        message: 'input invalid data source',
        detail: expect.stringContaining('[data].allow') as unknown,
      });
    }
  });

  it.each(['ftp', '', 'HTTP', 'Client'])('refuses the data source %j', async (dataSrc) => {
    expect(await failure({ dataSrc, url: 'http://example.com/' })).toMatchObject({
      code: 10009,
      message: 'input invalid data source',
    });
  });

  it.each([
    [{}, 'the attribute url is empty'],
    [{ url: '' }, 'the attribute url is empty'],
    [{ url: 'file:///etc/passwd' }, 'the attribute url cannot be used: it is neither http nor https'],
    [{ url: 'http://user:word@example.com/' }, 'the attribute url cannot be used: it holds credentials'],
  ])('refuses the url of %j', async (desc, detail) => {
    const error = await failure({ dataSrc: 'http', ...desc });
    expect(error).toMatchObject({ code: 10009, message: 'input invalid http url', detail });
  });

  it.each(['access', 'secret', 'endpoint', 'bucket', 'key'])('refuses an S3 payload without %s', async (name) => {
    const expected = { code: 10009, message: 'input invalid s3 tags', detail: `the attribute ${name} is missing` };
    expect(await failure({ ...s3, [name]: '' })).toMatchObject(expected);
    const rest = Object.fromEntries(Object.entries(s3).filter(([key]) => key !== name));
    expect(await failure(rest)).toMatchObject(expected);
  });

  it.each([
    { endpoint: 'ftp://s3.example' },
    { endpoint: 'http://user:hush@s3.example' },
    { endpoint: 'http://s3.example/?x=hush' },
    { endpoint: 'http://' },
    { access: 'AKID\r\nX-Evil: hush' },
    { region: 'us-east-1/s3' },
  ])('refuses S3 attributes like %j without repeating them', async (changes) => {
    const error = await failure({ ...s3, ...changes });
    expect(error).toMatchObject({ code: 10009, message: 'input invalid s3 tags' });
    expect(error.detail).not.toContain('hush');
  });

  it('refuses every spelling of a private address in a URL or an endpoint', async () => {
    const hosts = fc.oneof(
      privateIPv4.chain(spellIPv4),
      privateIPv6.chain(spellIPv6).map((text) => `[${text}]`),
    );
    await fc.assert(
      fc.asyncProperty(hosts, fc.constantFrom('http', 'https'), async (host, scheme) => {
        // Nothing would be found for a host that is taken for a name.
        const expected = { message: 'input invalid data source' };
        expect(await failure({ dataSrc: 'http', url: `${scheme}://${host}/` })).toMatchObject(expected);
        expect(await failure({ ...s3, endpoint: `${scheme}://${host}` })).toMatchObject(expected);
      }),
    );
  });

  it('refuses a name at a private address, keeps the address out of the answer and gives it to the log', async () => {
    const error = await failure({ dataSrc: 'http', url: 'http://intra.example/a?b=c' }, ['*'], ['10.20.30.40']);
    expect(error).toMatchObject({
      message: 'input invalid data source',
      detail: 'the address of intra.example is private; [data].allow must list it or its range',
    });
    expect((error.cause as Error).message).toContain('10.20.30.40');
  });

  it('refuses a name that has a private address among public ones', async () => {
    const error = await failure({ dataSrc: 'http', url: 'http://x.example/' }, ['*'], ['93.184.215.14', '::1']);
    expect(error.message).toBe('input invalid data source');
  });

  it('refuses what a resolver gives that is no address', async () => {
    const error = await failure({ dataSrc: 'http', url: 'http://x.example/' }, ['*'], ['10.0.0.1; x']);
    expect(error.message).toBe('input invalid data source');
  });

  it('does not ask for the address of a name that cannot be allowed', async () => {
    const asked: string[] = [];
    const source = createDataSource({ allow: ['example.com'] }, (name) => {
      asked.push(name);
      return Promise.resolve([]);
    });
    const frames = [frame({ dataSrc: 'http', url: 'http://other.example/?q=1' })];
    await expect(source.resolve(frames, never)).rejects.toMatchObject({
      message: 'input invalid data source',
      detail: 'other.example is not in [data].allow',
    });
    expect(asked).toEqual([]);
  });

  it('asks again for a name when the resolver is busy, as often as it may', async () => {
    let asked = 0;
    const source = createDataSource({ allow: ['*'], retries: 3 }, () => {
      asked++;
      return Promise.reject(Object.assign(new Error('try again'), { code: 'EAI_AGAIN' }));
    });
    const frames = [frame({ dataSrc: 'http', url: 'http://x.example/' })];
    await expect(source.resolve(frames, never)).rejects.toMatchObject({
      code: 10009,
      message: 'http download fail with EAI_AGAIN',
    });
    expect(asked).toBe(3);
  });

  it('does not ask again for a name that does not exist', async () => {
    const error = await failure({ dataSrc: 'http', url: 'http://x.example/' }, ['*'], []);
    expect(error.message).toBe('http download fail with ENOTFOUND');
  });

  it("rejects with the signal's reason at once, also while a name is looked up", async () => {
    const leaving = new AbortController();
    const reason = new AigesError('cancelled');
    const source = createDataSource({ allow: ['*'] }, () => {
      queueMicrotask(() => {
        leaving.abort(reason);
      });
      return new Promise(() => undefined);
    });
    const frames = [frame({ dataSrc: 'http', url: 'http://x.example/' })];
    await expect(source.resolve(frames, leaving.signal)).rejects.toBe(reason);
    await expect(source.resolve(frames, leaving.signal)).rejects.toBe(reason);
  });
});
