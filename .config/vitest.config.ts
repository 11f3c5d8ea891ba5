/** Two suites: `unit` runs anywhere in seconds; `integration` starts real processes and skips with a printed reason. */
import { defineConfig } from 'vitest/config'

const ignored = ['**/node_modules/**', '**/dist/**', '**/build/**', '**/results/**']

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: ignored,
          testTimeout: 20_000,
          // Unit tests share nothing that they change, so that modules need loading only once for each thread.
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['**/*.itest.ts'],
          exclude: ignored,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup: ['harness/testing/compile-cli.ts'],
          // Integration tests start processes that measure one another: one file at a time.
          fileParallelism: false,
          // Tests of one file that are marked as concurrent wait for windows to pass, most of the time.
          maxConcurrency: 3,
        },
      },
    ],
  },
})
