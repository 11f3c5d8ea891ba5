/** `meshbench init`: writes a config that explains itself. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { UserError, exitCodes, messageOf, type ExitCode } from '../../model/errors.js'

const file = 'bench.config.ts'

export async function initCommand(flags: { force: boolean }): Promise<ExitCode> {
  if (existsSync(file) && !flags.force) {
    throw new UserError(`${file} is there already`, { hint: '--force overwrites it' })
  }
  // In a checkout of Meshbench the package is its own folder; anywhere else it need not even be installed, since types alone
  // are taken from it: `npx meshbench` and a global one find nothing of theirs beside a config.
  const source = existsSync('harness/config.ts') ? './harness/config.js' : 'meshbench'
  await writeFile(file, template(source)).catch((error: unknown) => {
    throw new UserError(`cannot write ${file}: ${messageOf(error)}`, {
      hint: 'call it in a folder that can be written to',
      cause: error,
    })
  })
  process.stdout.write(`wrote ${file}; \`meshbench plan\` tells what it would do\n`)
  return exitCodes.ok
}

function template(source: string): string {
  return `import type { UserConfig } from '${source}'

export default {
  // Seed of the order of trials: one seed, one order.
  seed: 1,

  // smoke (30 s, for CI), quick (3 min) or full (as long as precision needs).
  profile: 'quick',

  // Where things run; \`meshbench list\` names the others.
  platform: 'local',

  // Which paths to measure on which mesh. The baseline, and its twin for the noise floor, are always measured.
  arms: {
    reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'],
  },

  experiments: {
    // What does each path add? Choose rates below the knee of every path.
    latency: { ratesPerSecond: [1000], connections: 16, payloadBytes: 1024 },
    // How much does each path carry?
    capacity: { connections: 16 },
    // What does a new connection cost, and a GiB of a long transfer?
    // connect: { ratePerSecond: 200 },
    // stream: { connections: 4 },
  },

  // Between min and max rounds: until every ratio is known to ± untilEffect, or the budget ends.
  // rounds: { min: 10, max: 40, untilEffect: 0.05, budgetMinutes: 5 },
  // On kind, blocks: 3 lets the meshes' clusters take turns.

  // Conditions that decide the exit code. Ratios travel between hosts, absolute figures do not.
  thresholds: [
    { metric: 'errors.share', arm: 'reference/l4-l7-l4', max: 0 },
    // { metric: 'cpu.per1000Requests', arm: 'reference/l4-l7-l4', relativeTo: 'reference/l7-sidecar-to-sidecar', max: 1.1 },
    // { metric: 'latency.added', percentile: 99, arm: 'reference/l4-l7-l4', max: 1.5 },
  ],

  // Prices of what hops take; with a fleet, what each path comes to in yours.
  cost: {
    perVcpuHour: 0.04,
    perGibHour: 0.005,
    currency: 'USD',
    // fleet: { requestsPerSecond: 20_000, pods: 400, nodes: 20, waypoints: 2 },
  },
} satisfies UserConfig
`
}
