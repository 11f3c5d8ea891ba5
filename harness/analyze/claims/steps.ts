/** What an experiment measured in steps, each with more of something than the one before, and the line through its means. */
import type { Cell, Estimate, ReadMetric } from '../../model.js'
import { mean } from '../../protocol/averages.js'
import { fitLine, type Bounded, type Line } from '../../stats/line.js'
import { level } from '../estimates.js'
import type { Series } from '../trust/pairing.js'
import { armOn } from '../increments.js'
import { readMetric, seriesOf, type CellGroup, type Run } from '../readings.js'

/** The path of sidecars, and those without in the order in which they are looked for: the first does at L7 what sidecars do. */
export const sidecars = 'l7-sidecar-to-sidecar'
export const sidecarless = ['l4-l7-l4', 'l7-per-node'] as const

/** Count of workloads → round → value. */
export type StepValues = ReadonlyMap<number, { readonly cell: string; readonly series: Series }>

/** What the steps of a mesh's paths measured in one experiment. */
export function stepsOf(run: Run, groups: readonly CellGroup[], mesh: string, experiment: string) {
  const own = groups.filter((group) => group.experiment === experiment)
  /** Cells of a path, searched ones too. */
  const cellsOn = (path: string): readonly Cell[] =>
    own.flatMap((group) => group.byArm.get(armOn(run, group, mesh, path) ?? '') ?? [])
  /** Under loads whose label has `labelled` in it. */
  const of = (path: string, metric: ReadMetric, labelled = ''): StepValues => {
    const steps = new Map<number, { readonly cell: string; readonly series: Series }>()
    for (const cell of cellsOn(path)) {
      // A search has a rate of its own in each trial.
      if (cell.search || !cell.loadLabel.includes(labelled)) continue
      const series = seriesOf(run, cell.id, (trial) => readMetric(run, trial, metric))
      if (series.size > 0) steps.set(cell.load.workloads ?? 1, { cell: cell.id, series })
    }
    return steps
  }
  return { cellsOn, of }
}
export type Steps = ReturnType<typeof stepsOf>

export const cellsOf = (steps: StepValues) => [...steps.values()].map(({ cell }) => cell)
const roundsOf = (steps: StepValues) => Math.min(...[...steps.values()].map(({ series }) => series.size))

/** Undefined of fewer than three steps. */
export function lineOf(steps: StepValues): Line | undefined {
  return fitLine([...steps].map(([x, { series }]) => ({ x, y: mean([...series.values()]) })))
}

/** `of`: what the steps are counts of. */
export function fromLine(
  unit: Estimate['unit'],
  found: Bounded,
  line: Line,
  steps: StepValues,
  of: string,
): Estimate {
  return {
    ...found,
    unit,
    level,
    n: roundsOf(steps),
    method: `least squares over ${steps.size} counts of ${of}, Student’s t with ${line.df} degrees of freedom`,
    cells: cellsOf(steps),
  }
}
