import { afterEach, describe, expect, it } from 'vitest';
import { fixtureEngine } from '../fixtures/engines.js';
import { type RunningHost, startHost } from '../fixtures/host.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceRequest, StreamClient } from '../fixtures/xsf-client.js';

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
