/**
 * Three suites. `unit` runs anywhere in seconds. The others use the real thing and skip with a printed reason: `parallel` what
 * is the same on a busy machine, two files at a time; `integration` what reads figures or fills the machine, one by one.
 */
import { defineConfig } from 'vitest/config'

const ignored = ['**/node_modules/**', '**/dist/**', '**/build/**', '**/results/**']
const integration = [
  'harness/cli/package/package.itest.ts',
  'harness/config/variants.itest.ts',
  'infra/platforms/kind/*.itest.ts',
  'infra/meshes/envoy/docker.itest.ts',
  'infra/meshes/clusters/arms.itest.ts',
]

/** Unit tests that put other modules in a module's place, which those that share their modules would not see. */
const replacing = ['scenarios/toys.test.ts']

/** Runs that tests start exclude neither each other nor what else is measured on this host; see harness/process/state.ts. */
const env = { MESHBENCH_LOCK: `tests of ${process.pid}` }

const real = {
  env,
  testTimeout: 120_000,
  hookTimeout: 120_000,
  globalSetup: ['harness/testing/compile-cli.ts'],
  // Tests of one file that are marked as concurrent wait for windows to pass, most of the time.
  maxConcurrency: 3,
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          env,
          include: ['**/*.test.ts'],
          exclude: [...ignored, ...replacing],
          testTimeout: 20_000,
          // Unit tests share nothing that they change, so that modules need loading only once for each thread.
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'unit-alone',
          env,
          include: replacing,
          testTimeout: 20_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...real,
          name: 'parallel',
          include: ['**/*.itest.ts'],
          exclude: [...ignored, ...integration],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...real,
          name: 'integration',
          include: integration,
          exclude: ignored,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
