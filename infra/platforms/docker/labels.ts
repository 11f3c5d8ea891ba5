/** Labels are the only state: whatever carries a run's label was made by that run and may be removed. */
import { hostname } from 'node:os'

export const runLabel = 'meshbench.run'
/** An engine may be shared: whether a run of another machine, or of another container, is still alive cannot be told from here. */
export const machineLabel = 'meshbench.machine'
export const componentLabel = 'meshbench.component'
export const nodeLabel = 'meshbench.node'

export const runLabels = (runId: string): Readonly<Record<string, string>> => ({
  [runLabel]: runId,
  [machineLabel]: hostname(),
})

/** Engine filter for one run's objects, or those of all runs. */
export function runFilter(runId?: string): { label: string[] } {
  return { label: [runId === undefined ? runLabel : `${runLabel}=${runId}`] }
}

/** A name that engines accept, from a component's or a run's name. */
export function objectName(...parts: readonly string[]): string {
  return ['meshbench', ...parts].map((part) => part.replaceAll(/[^a-zA-Z0-9_.-]+/g, '-')).join('-')
}
