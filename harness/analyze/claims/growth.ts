/**
 * Rules of the claims on what a mesh takes as its application grows: C4, C12.
 *
 * Memory is that of the same processes in every round, so that its line goes through one mean for each count of replicas
 * and takes its uncertainty from how far they lie from it; CPU has a line in each round.
 */
import { footprintLoads, meshCpu, meshMemory } from '../../../scenarios/experiments/footprint.js'
import type { Estimate, ReadMetric } from '../../model.js'
import { crossing, fitLine, slopeOf, type Bounded, type Line } from '../../stats/line.js'
import type { Settings } from '../../stats/paired.js'
import { comparePaired, estimateOf, level } from '../estimates.js'
import { armOn } from '../increments.js'
import { pairedSeries, readMetric, seriesOf, type CellGroup, type Run } from '../readings.js'
import { withInterval } from '../words.js'
import { decide, type Bounds, type Decision } from './decision.js'
import { byMesh, concluded, wanting, type Conclusion, type Rule } from './finding.js'

/** Limits with their reasons. */
export const growthLimits = {
  /** C4: a mesh that adds less than this share of what sidecars add for each replica does not grow with replicas. */
  flat: 0.1,
  /** C4: growth is linear where no step lies further from its line than this: about what a process differs from its like. */
  linear: 0.1,
  /** C12: “far fewer” is at most half. */
  farFewer: 0.5,
}

const sidecars = 'l7-sidecar-to-sidecar'
/** In the order in which they are looked for: the first does at L7 what sidecars do, with identities at both ends. */
const sidecarless = ['l4-l7-l4', 'l7-per-node'] as const

/** What the steps of a mesh's paths measured. */
class Steps {
  readonly #run: Run
  readonly #groups: readonly CellGroup[]
  readonly mesh: string

  constructor(run: Run, groups: readonly CellGroup[], mesh: string) {
    this.#run = run
    this.#groups = groups
    this.mesh = mesh
  }

  /** Replicas → round → value. */
  of(path: string, what: keyof typeof footprintLoads, metric: ReadMetric) {
    const steps = new Map<number, { readonly cell: string; readonly series: ReadonlyMap<number, number> }>()
    for (const group of this.#groups) {
      const cell = group.byArm.get(armOn(this.#run, group, this.mesh, path) ?? '')
      if (!cell || !group.loadLabel.includes(footprintLoads[what])) continue
      const series = seriesOf(this.#run, cell.id, (trial) => readMetric(this.#run, trial, metric))
      if (series.size > 0) steps.set(cell.load.workloads ?? 1, { cell: cell.id, series })
    }
    return steps
  }
}

function bySteps(judge: (steps: Steps, settings: Settings, run: Run) => Conclusion | undefined): Rule {
  return byMesh((run, groups, settings, mesh) =>
    judge(
      new Steps(
        run,
        groups.filter(({ experiment }) => experiment === 'footprint'),
        mesh,
      ),
      settings,
      run,
    ),
  )
}

type StepValues = ReturnType<Steps['of']>

const mean = (values: Iterable<number>) => {
  const all = [...values]
  return all.reduce((sum, value) => sum + value, 0) / all.length
}

const cellsOf = (steps: StepValues) => [...steps.values()].map(({ cell }) => cell)
const roundsOf = (steps: StepValues) => Math.min(...[...steps.values()].map(({ series }) => series.size))

function lineOf(steps: StepValues): Line | undefined {
  return fitLine([...steps].map(([x, { series }]) => ({ x, y: mean(series.values()) })))
}

function fromLine(unit: Estimate['unit'], found: Bounded, line: Line, steps: StepValues): Estimate {
  return {
    ...found,
    unit,
    level,
    n: roundsOf(steps),
    method: `least squares over ${steps.size} counts of replicas, Student’s t with ${line.df} degrees of freedom`,
    cells: cellsOf(steps),
  }
}

const growthOf = (line: Line, steps: StepValues) => fromLine('MiB', slopeOf(line), line, steps)

/** ms of CPU in each second that one more replica adds: a line in each round that has every step. */
function cpuSlope(steps: StepValues, settings: Settings): Estimate | undefined {
  const counts = [...steps.keys()]
  const { rounds, values } = pairedSeries(...[...steps.values()].map(({ series }) => series))
  const slopes = rounds.flatMap((_, round) => {
    const line = fitLine(counts.map((x, index) => ({ x, y: values[index]?.[round] ?? 0 })))
    return line ? [line.slope * 1000] : []
  })
  return slopes.length === 0 ? undefined : estimateOf(slopes, settings, { unit: 'ms', cells: cellsOf(steps) })
}

export const judgeC4 = bySteps((steps, settings) => {
  const own = steps.of(sidecars, 'load', meshMemory)
  const path = sidecarless.find((name) => steps.of(name, 'load', meshMemory).size > 2)
  if (path === undefined) return undefined
  const shared = steps.of(path, 'load', meshMemory)
  const [ownLine, sharedLine] = [lineOf(own), lineOf(shared)]
  if (!ownLine || !sharedLine) return undefined
  const [ownSlope, sharedSlope] = [growthOf(ownLine, own), growthOf(sharedLine, shared)]
  const ownCpu = cpuSlope(steps.of(sidecars, 'rest', meshCpu), settings)
  const sharedCpu = cpuSlope(steps.of(path, 'rest', meshCpu), settings)
  const met = crossing(ownLine, sharedLine)
  const meets = met && fromLine('count', met, ownLine, own)
  const verdict = verdictOfC4({ ownSlope, sharedSlope, ownCpu, worstShare: ownLine.worstShare })
  const cpu =
    ownCpu && sharedCpu
      ? `; at rest it added ${withInterval(ownCpu, 'ms')} of CPU a second with sidecars, ${withInterval(sharedCpu, 'ms')} without`
      : ''
  return concluded(
    verdict,
    `On ${steps.mesh} one more replica added ${withInterval(ownSlope, 'MiB')} of proxies with sidecars and ${withInterval(sharedSlope, 'MiB')} on ${path}${cpu}.${meets ? ` Sidecars take more memory from ${withInterval(meets, 'replicas')} on.` : ''} No count of nodes is varied here.`,
    [
      ['memory that one more replica adds with sidecars', ownSlope],
      [`memory that one more replica adds on ${path}`, sharedSlope],
      ['CPU a second at rest that one more replica adds with sidecars', ownCpu],
      [`CPU a second at rest that one more replica adds on ${path}`, sharedCpu],
      [`replicas from which on sidecars take more memory than ${path}`, meets],
    ],
    'more rounds with longer windows for CPU at rest, or more counts of replicas (experiments.footprint.replicas) for memory',
  )
})

/** What is decided of C4, from lines alone. */
export function verdictOfC4({
  ownSlope,
  sharedSlope,
  ownCpu,
  worstShare,
}: {
  readonly ownSlope: Bounds & Pick<Estimate, 'value'>
  readonly sharedSlope: Bounds
  readonly ownCpu: Bounds | undefined
  readonly worstShare: number
}): Decision {
  const flat = growthLimits.flat * ownSlope.value
  const grows = decide(ownSlope, 0)
  const sharedGrows = decide(sharedSlope, flat)
  const isLinear = worstShare <= growthLimits.linear
  if (grows === 'refuted' || (grows === 'supported' && sharedGrows === 'supported')) return 'refuted'
  const isCpuGrowing = ownCpu !== undefined && decide(ownCpu, 0) === 'supported'
  return grows === 'supported' && isLinear && isCpuGrowing && sharedGrows === 'refuted'
    ? 'supported'
    : 'inconclusive'
}

/** Money an hour for what the hops take, so that cores and memory are one figure: by the prices of the config. */
export const judgeC12 = bySteps((steps, settings, run) => {
  const path = sidecarless.find((name) => steps.of(name, 'load', meshMemory).size > 0)
  if (path === undefined) return undefined
  const { perVcpuHour, perGibHour } = run.plan.config.cost
  const ratioAt = (what: keyof typeof footprintLoads) => {
    const [reference, treated] = [sidecars, path].map((name) => {
      const [cores, memory] = [steps.of(name, what, meshCpu), steps.of(name, what, meshMemory)]
      const most = Math.max(...cores.keys())
      const [of, at] = [cores.get(most), memory.get(most)]
      if (!of || !at) return undefined
      const { rounds, values } = pairedSeries(of.series, at.series)
      const costs = rounds.map(
        (round, index) =>
          [
            round,
            (values[0]?.[index] ?? 0) * perVcpuHour + ((values[1]?.[index] ?? 0) / 1024) * perGibHour,
          ] as const,
      )
      return { most, cell: of.cell, costs: new Map(costs) }
    })
    if (!reference || !treated || reference.most !== treated.most) return undefined
    const [first = [], second = []] = pairedSeries(treated.costs, reference.costs).values
    if (first.length === 0) return undefined
    const cells = [treated.cell, reference.cell]
    const { ratio } = comparePaired(first, second, settings, { unit: 'currency', cells })
    return { ratio, replicas: reference.most }
  }
  const [rest, load] = [ratioAt('rest'), ratioAt('load')]
  if (!rest || !load) return undefined
  const ratios = [rest.ratio, load.ratio]
  const open = ratios.find((ratio) => decide(ratio, growthLimits.farFewer) === 'inconclusive')
  return concluded(
    verdictOfC12(ratios),
    `On ${steps.mesh} with ${load.replicas} replicas the hops of ${path} took ${withInterval(rest.ratio, 'times')} at rest, and ${withInterval(load.ratio, 'times')} under load, of what sidecars took in CPU and memory, at the prices of the config; “far fewer” is read as at most half of it. There is no control plane here.`,
    [
      [`cost of ${path} at rest to that of sidecars, ${rest.replicas} replicas`, rest.ratio],
      [`cost of ${path} under load to that of sidecars, ${load.replicas} replicas`, load.ratio],
    ],
    open
      ? wanting(open, growthLimits.farFewer)
      : 'rest and load say different things: how busy yours is is for you to say',
  )
})

/** What is decided of C12, from the costs at rest and under load as ratios to those of sidecars. */
export function verdictOfC12(ratios: readonly Bounds[]): Decision {
  const decisions = ratios.map((ratio) => decide(ratio, growthLimits.farFewer))
  if (decisions.every((decision) => decision === 'refuted')) return 'supported'
  return decisions.every((decision) => decision === 'supported') ? 'refuted' : 'inconclusive'
}
