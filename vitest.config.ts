import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'demo/**/*.test.ts'],
    // The addon holds state per process: one process per file keeps live counters a test's own.
    pool: 'forks',
    // One more than CPUs that everybody has: a good part of the tests waits for something.
    maxWorkers: 3,
    // As long as the slowest tests take on a machine that does much else: a limit is for tests that hang.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    reporters: ['default'],
  },
});
