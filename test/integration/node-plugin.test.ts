import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../fixtures/eventually.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';

// The whole way of a wrapper: `aiges-ts serve` in a process of its own, and the clients that C engines have.

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const wrapper = fileURLToPath(new URL('../fixtures/wrappers/scripted.ts', import.meta.url));

let folder: string;
let child: ChildProcess;
let output = '';
let client: RawClient;
let http: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-node-'));
  writeFileSync(
    join(folder, 'aiges.toml'),
    `[svcName]\nhost = "127.0.0.1"\nport = 0\nmaxreceive = 32\nmaxsend = 32\n[http]\nlisten = "127.0.0.1:0"\n` +
      `[plugin]\npath = ${JSON.stringify(wrapper)}\ninstances = 2\n[log]\nlevel = "info"\n`,
  );
  child = spawn(process.execPath, [main, 'serve'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (output += text.toString()));
  client = new RawClient(Number(await printed(/gRPC {2}127\.0\.0\.1:(\d+)/)));
  http = await printed(/HTTP {2}(http:\S+)/);
});

afterAll(() => {
  child.kill('SIGKILL');
  client.close();
  rmSync(folder, { recursive: true, force: true });
});

async function printed(pattern: RegExp): Promise<string> {
  return vi.waitFor(() => {
    const found = pattern.exec(output)?.[1];
    if (found === undefined) throw new Error(`not printed: ${String(pattern)} in ${output}`);
    return found;
  }, 60_000);
}

const text = (data: string | Buffer, name = 'text', type = 0): object => ({
  meta: { name, dataType: type, attribute: { status: '3' } },
  data: Buffer.from(data),
});

describe('aiges-ts serve with a wrapper', () => {
  it('says what it serves', () => {
    expect(output).toContain('serves "svcName" v1 (node plugin, version v1)');
  });

  it.each([
    [{ do: 'fail' }, 10909, 'seven;code=7'],
    [{ do: 'throw' }, 10909, 'plugin failed;code=30003'],
    [{}, 10009, 'input invalid data: parameter "do" is missing'],
    [{ do: 'exit' }, 10109, 'plugin ended before it answered'],
  ])('answers %o with %i %s', async (params, code, err) => {
    const { response, output: answer } = await callXsf(client, onceRequest(onceInput({ params, pl: [text('a')] })));
    expect(response?.code).toBe(0);
    expect(answer).toMatchObject({ code, err, status: 2 });
  });

  it('answers xsf and HTTP alike', async () => {
    const answer = await callXsf(client, onceRequest(onceInput({ params: { do: 'echo' }, pl: [text('hällo')] })));
    expect(answer.output).toMatchObject({ code: 0, status: 3 });
    expect(Buffer.from(answer.output?.pl[0]?.data ?? []).toString()).toBe('hällo');

    const reply = await fetch(http, {
      method: 'POST',
      body: JSON.stringify({
        parameter: { svcName: { do: 'echo', result: { data_type: 'text' } } },
        payload: { text: { text: Buffer.from('hällo').toString('base64') } },
      }),
    });
    expect(await reply.json()).toMatchObject({ header: { code: 0 }, payload: { result: { text: 'hällo' } } });
  });

  it('serves streams', async () => {
    const stream = new StreamClient(client);
    await stream.create({ params: { do: 'echo' } });
    // Answers to writes take results along.
    const answers: XsfAnswer[] = [await stream.write(1, 'a', 1, 'text'), await stream.write(2, 'b', 2, 'text')];
    do answers.push(await stream.poll());
    while (answers.at(-1)?.output?.status !== 2);
    expect(answers.flatMap(textsOf).join('')).toBe('AB');
    expect((await stream.poll()).output).toMatchObject({ code: 10101 });
  });

  it('takes 10 MiB in and gives 10 MiB back', async () => {
    const data = Buffer.alloc(10 << 20, 5);
    const { output: answer } = await callXsf(
      client,
      onceRequest(
        onceInput({
          params: { do: 'own' },
          expect: [{ name: 'data', dataType: 2, attribute: {} }],
          pl: [text(data, 'data', 2)],
        }),
      ),
    );
    expect(answer).toMatchObject({ code: 0, status: 3 });
    expect(Buffer.compare(Buffer.from(answer?.pl[0]?.data ?? []), data)).toBe(0);
  });

  it('lets a wrapper keep what it received, after the answer and while other requests come', async () => {
    const keep = async (what: string, fill: number): Promise<string> => {
      const answer = await callXsf(
        client,
        onceRequest(onceInput({ params: { do: what }, pl: [text(Buffer.alloc(4 << 20, fill), 'data', 2)] })),
      );
      return textsOf(answer).join();
    };
    // Two threads take turns: each sees what it has kept itself.
    for (let fill = 1; fill <= 8; fill++) await keep('keep', fill);
    for (let n = 0; n < 20; n++) await keep('sum', 99);
    const seen = new Set([...(await keep('kept', 0)).split(','), ...(await keep('kept', 0)).split(',')]);
    for (const each of seen) expect(each).toMatch(/^([1-8]):\1$/);
    expect(seen.size).toBeGreaterThan(3);
  });

  it('takes forms over HTTP, streams the results and gives bytes as they are', async () => {
    const events = new FormData();
    events.set('do', 'echo');
    events.set('text', 'many');
    const stream = await fetch(http, { method: 'POST', headers: { accept: 'text/event-stream' }, body: events });
    expect(stream.status).toBe(200);
    const texts = [...(await stream.text()).matchAll(/^data: .*"text":"(\d+)"/gm)].map(([, found]) => Number(found));
    expect(texts).toEqual(Array.from({ length: 50 }, (_, index) => index));

    const picture = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0]);
    const upload = new FormData();
    upload.set('do', 'echo');
    upload.set('data', new Blob([picture], { type: 'image/png' }), 'a.png');
    const bytes = await fetch(http, { method: 'POST', headers: { accept: 'text/event-stream' }, body: upload });
    expect(await bytes.text()).toContain(`"image":"${picture.toString('base64')}"`);

    upload.set('picture', new Blob([picture]), 'a.png');
    const refused = await fetch(http, { method: 'POST', body: upload });
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain('\\"text\\", \\"data\\"');
  });

  it('describes itself over HTTP', async () => {
    const document = (await (await fetch(new URL('/openapi.json', http))).json()) as { paths: object };
    expect(Object.keys(document.paths)).toEqual([new URL(http).pathname]);
  });

  it('writes what the wrapper says into the log, with the session id', async () => {
    await callXsf(client, onceRequest(onceInput({ params: { do: 'print' }, pl: [text('a')] })));
    await eventually(() => output).toMatch(/"answer":42.*"msg":"to the log"/);
    expect(output).toMatch(/"plugin":"svcName".*"sid":"ase00010001@hu000000000000001500".*"msg":"to the log"/);
    await eventually(() => output).toMatch(/"key":"units","count":3.*"msg":"meter"/);
  });

  it('ends in order', async () => {
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(0);
    expect(output).toContain('finished');
  });
});
