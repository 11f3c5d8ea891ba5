/** A small run of units of L7 on any platform that has them, and what must be true of it. */
import { expect } from 'vitest'
import type { Trial } from '../model.js'
import { noPage, smallConfig, type Workspace } from './cli.js'
import { lastAttempts } from './trials.js'

const sidecars = 'reference/l7-sidecar-to-sidecar'
const units = [1, 2, 3]
/** Far less than so many requests a second take of a hop. */
const limits = { cpusPerHop: 0.1, startPerUnit: 1500, maxProbes: 1 }

export interface UnitsRun {
  readonly runId: string
  readonly trials: readonly Trial[]
}

/**
 * Measures sidecars and waypoints in three steps, each along its units alone, and what each step carries where their hops are
 * `limited`. Every unit of sidecars has an application, and those of waypoints have none.
 */
export async function runUnits(workspace: Workspace, platform: string, limited: boolean): Promise<UnitsRun> {
  workspace.writeConfig({
    ...smallConfig,
    platform,
    arms: { reference: ['l7-sidecar-to-sidecar', 'l4-l7-l4'] },
    experiments: {
      'scale-out': {
        ...{ warmupMs: 50, durationMs: 300, connections: 4, ratePerSecond: 100, rounds: 1 },
        units,
        ...(limited ? limits : {}),
      },
    },
    rounds: { min: 1, max: 1 },
  })
  const arms = [sidecars, 'reference/l4-l7-l4']
  const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage, '--arm', ...arms)
  expect([code, stderr]).toEqual([0, ''])
  const { entries, header } = workspace.journal('out')
  const trials = lastAttempts(entries)
  expect(trials.map(({ cell, state, error }) => [cell, state, error?.message])).toEqual(
    trials.map(({ cell }) => [cell, 'ok', undefined]),
  )
  // Baseline and twin once, two arms under three loads, and in three searches of one trial each.
  expect(trials).toHaveLength(2 + 2 * units.length * (limited ? 2 : 1))
  const environment = entries.find((entry) => entry.type === 'environment')
  const applications = environment?.components.filter(({ category }) => category === 'application')
  expect(applications?.map(({ arm }) => arm)).toEqual([
    undefined,
    ...units.map((unit) => `${sidecars}+unit-${unit}`),
  ])
  const last = trials.find(({ cell }) => cell.includes('/l7-sidecar-to-sidecar|3 units') && !isKnee(cell))
  const used = last?.usage?.components.filter(
    ({ component, cpuNs }) => component.startsWith(`${sidecars}+unit-`) && cpuNs > 0,
  )
  expect(used).toHaveLength(units.length * 3)
  return { runId: header.runId, trials }
}

export const isKnee = (cell: string) => cell.endsWith('knee')
