import { expect, it, vi } from 'vitest';
import { AigesError } from '../../src/core/errors.js';
import { createHost } from '../../src/host.js';
import { createLogger } from '../../src/observability/logger.js';
import { FakeRuntime } from '../fixtures/fake-runtime.js';
import { testConfig } from '../fixtures/host.js';

vi.mock('../../src/transports/http/playground.js', () => ({
  registerPlayground: () => {
    throw new AigesError('initFailed', { message: 'the playground cannot be read' });
  },
}));

it('says that the playground has not been built, and nothing of addresses', async () => {
  const { http, ...config } = testConfig({});
  if (http === null) throw new Error('unreachable');
  const runtime = new FakeRuntime();
  const host = createHost(
    { ...config, http: { ...http, ui: true } },
    { log: createLogger('silent'), loadRuntime: () => runtime },
  );
  await expect(host.start()).rejects.toThrow(/^the playground cannot be read$/);
  expect(runtime.stopped).toBe(1);
});
