/** Labels are the only state: whatever carries a run's label was made by that run and may be removed. */

export const runLabel = 'meshbench.run'
export const componentLabel = 'meshbench.component'
export const nodeLabel = 'meshbench.node'

/** Engine filter for one run's objects, or those of all runs. */
export function runFilter(runId?: string): { label: string[] } {
  return { label: [runId === undefined ? runLabel : `${runLabel}=${runId}`] }
}

/** A name that engines accept, from a component's or a run's name. */
export function objectName(...parts: readonly string[]): string {
  return ['meshbench', ...parts].map((part) => part.replaceAll(/[^a-zA-Z0-9_.-]+/g, '-')).join('-')
}
