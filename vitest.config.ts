import { defineConfig } from 'vitest/config';

const shared = { pool: 'forks', testTimeout: 30_000, hookTimeout: 30_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/sim/seeds-*.test.ts'],
          maxWorkers: 2,
        },
      },
      {
        // The simulator takes whole cores for a minute, and makes much garbage that is gone at once.
        test: {
          ...shared,
          name: 'sim',
          include: ['test/sim/seeds-*.test.ts'],
          execArgv: ['--max-semi-space-size=32'],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Real processes that share the disk and the cores: after all others, two files at a time.
        test: {
          ...shared,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
