import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { counters } from '../../src/runtimes/native/index.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { eventually } from '../fixtures/eventually.js';
import { FileGate } from '../fixtures/file-gate.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient } from '../fixtures/xsf-client.js';
import { parse } from '../unit/config/parsing.js';

const max = 8;
/** Machines are slow when they are busy. */
const patience = 10 * 60_000;

describe.each([
  ['a blocking engine', false],
  ['an asynchronous engine', true],
])('as many clients as licences, on %s', (_name, asyncMode) => {
  let loader: RunningHost;
  let clients: RawClient[] = [];

  /** Each client sends its next request as soon as it has the answer to the last one. Gives the answers' codes. */
  async function inClosedLoops(
    count: number,
    step: (client: RawClient) => Promise<number | undefined>,
  ): Promise<Map<number | undefined, number>> {
    loader = await startHost({
      plugin: { path: fixtureEngine('scripted'), asyncMode },
      service: { maxConcurrent: max },
    });
    clients = Array.from({ length: max }, () => new RawClient(loader.started.grpc.port));
    const codes = new Map<number | undefined, number>();
    const loops = clients.map(async (client) => {
      for (let n = 0; n < count / max; n++) {
        const code = await step(client);
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
    });
    await Promise.all(loops);
    return codes;
  }

  afterEach(async () => {
    for (const client of clients) client.close();
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
  });

  it(
    'have none of 20,000 one-shot requests refused',
    async () => {
      const codes = await inClosedLoops(20_000, async (client) => {
        return (await callXsf(client, onceRequest())).output?.code;
      });
      expect(codes).toEqual(new Map([[0, 20_000]]));
    },
    patience,
  );

  it(
    'have none of 5,000 streams refused',
    async () => {
      const codes = await inClosedLoops(5000, async (client) => {
        const stream = new StreamClient(client);
        let answer = await stream.create();
        if (answer.output?.code === 0) answer = await stream.write(1, 'x', 2);
        while (answer.output?.code === 0 && answer.output.status !== 2) answer = await stream.poll();
        return answer.output?.code;
      });
      expect(codes).toEqual(new Map([[0, 5000]]));
    },
    patience,
  );
});

describe('licences that a client adds', () => {
  /** Raises one licence to as many as these, and holds so many calls in the engine. Gives the lines of the log. */
  async function raise(licences: number, inside: number, keys: string): Promise<string[]> {
    const lines: string[] = [];
    const { limits } = parse(`[fc]\nmax = 1\n[limits]\nresize = true\n${keys}`).config;
    const loader = await startHost({
      plugin: { path: fixtureEngine('scripted') },
      service: { maxConcurrent: 1 },
      limits,
      log: pino({}, { write: (line) => void lines.push(line) }),
    });
    const gate = new FileGate();
    try {
      const param = { authzNo: String(licences), timeout: '0' };
      const resized = await callXsf(loader.client, onceRequest(onceInput(), { op: 'AILBType', param }));
      expect(resized.output).toMatchObject({ code: 0 });
      const request = onceRequest(onceInput({ params: gate.params }));
      const answers = Array.from({ length: licences }, () => callXsf(loader.client, request));
      await eventually(() => counters().jobsRunning).toBe(inside);
      gate.open();
      for (const { output } of await Promise.all(answers)) expect(output).toMatchObject({ code: 0 });
      return lines;
    } finally {
      gate.remove();
      expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
    }
  }

  it('let as many calls into a blocking engine at once', async () => {
    const lines = await raise(16, 16, '');
    expect(lines.filter((line) => line.includes('"permits":16'))).toHaveLength(1);
    expect(lines.join('')).not.toContain('[limits].threads');
  });

  it('are more than a number of threads that was configured, with a warning', async () => {
    const lines = await raise(4, 2, 'threads = 2');
    expect(lines.join('')).toContain('[limits].threads: 2 of 4 requests can be in the engine at once');
  });
});
