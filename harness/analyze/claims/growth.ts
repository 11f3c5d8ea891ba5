/**
 * Rules of the claims on what a mesh takes as its application grows: C4, C12.
 *
 * Memory is that of the same processes in every round, so that its line goes through one mean for each count of replicas
 * and takes its uncertainty from how far they lie from it; CPU has a line in each round.
 */
import { footprintLoads, meshCpu, meshMemory } from '../../../scenarios/experiments/footprint.js'
import type { Estimate } from '../../model.js'
import { crossing, fitLine, slopeOf, type Bounded, type Line } from '../../stats/line.js'
import type { Settings } from '../../stats/paired.js'
import { comparePaired, estimateOf, fewestFirm } from '../estimates.js'
import { stepOf, type Run } from '../readings.js'
import { pairedSeries, samplesOf } from '../trust/pairing.js'
import { withInterval } from '../words.js'
import { decide, lessShareOf, type Bounds, type Decision, type Located } from './decision.js'
import { bothHalves, scalingOf } from './scaling.js'
import {
  cellsOf,
  fromLine,
  lineOf,
  sidecarless,
  sidecars,
  stepsOf,
  type Steps,
  type StepValues,
} from './steps.js'
import { byMesh, concluded, livesWords, wanting, wantingLives, type Rule } from './finding.js'

export const growthLimits = {
  /** C4: a mesh that adds less than this share of what sidecars add for each replica does not grow with replicas. */
  flat: 0.1,
  /** C4: growth is linear where no step lies further from its line than this: about what a process differs from its like. */
  linear: 0.1,
  /** C12: “far fewer” is at most half. */
  farFewer: 0.5,
}

const at = (what: keyof typeof footprintLoads) => footprintLoads[what]

const growthOf = (line: Line, steps: StepValues) => fromLine('MiB', slopeOf(line), line, steps, 'replicas')

/** ms of CPU in each second that one more replica adds: a line in each round that has every step. */
function cpuSlope(run: Run, steps: StepValues, settings: Settings): Estimate | undefined {
  const counts = [...steps.keys()]
  const { rounds, values } = pairedSeries(...[...steps.values()].map(({ series }) => series))
  const slopes = rounds.flatMap((_, round) => {
    const line = fitLine(counts.map((x, index) => ({ x, y: values[index]?.[round] ?? 0 })))
    return line ? [line.slope * 1000] : []
  })
  if (slopes.length === 0) return undefined
  const cells = cellsOf(steps)
  const step = stepOf(run, cells, meshCpu) * 1000 * mostOff(counts)
  return estimateOf(slopes, settings, { unit: 'ms', cells, step })
}

/** By how much a slope is off at most, where each y is off by one at most. */
function mostOff(xs: readonly number[]): number {
  const middle = xs.reduce((sum, x) => sum + x, 0) / xs.length
  const spread = xs.reduce((sum, x) => sum + (x - middle) ** 2, 0)
  return xs.reduce((sum, x) => sum + Math.abs(x - middle), 0) / spread
}

export const judgeC4: Rule = byMesh((run, groups, settings, mesh) => {
  const growth = growthOfC4(run, stepsOf(run, groups, mesh, 'footprint'), settings)
  const scaling = scalingOf(run, groups, mesh)
  if (!growth && !scaling) return undefined
  const first = growth
    ? `On ${mesh} ${growth.sentence}`
    : `How memory grows with replicas was not measured on ${mesh} (experiment footprint).`
  const second =
    scaling?.sentence ?? 'Whether its L7 part scales on its own was not measured (experiment scale-out).'
  return concluded(
    bothHalves(growth?.decision, scaling?.decision),
    `${first} ${second} No count of nodes is varied here.`,
    [...(growth?.figures ?? []), ...(scaling?.figures ?? [])],
    growth
      ? 'more rounds with longer windows for CPU at rest, or more counts of replicas (experiments.footprint.replicas) and of units (experiments.scale-out.units) for memory'
      : 'the footprint experiment as well',
  )
})

function growthOfC4(run: Run, steps: Steps, settings: Settings) {
  const own = steps.of(sidecars, meshMemory, at('load'))
  const path = sidecarless.find((name) => steps.of(name, meshMemory, at('load')).size > 2)
  if (path === undefined) return undefined
  const shared = steps.of(path, meshMemory, at('load'))
  const [ownLine, sharedLine] = [lineOf(own), lineOf(shared)]
  if (!ownLine || !sharedLine) return undefined
  const [ownSlope, sharedSlope] = [growthOf(ownLine, own), growthOf(sharedLine, shared)]
  const ownCpu = cpuSlope(run, steps.of(sidecars, meshCpu, at('rest')), settings)
  const sharedCpu = cpuSlope(run, steps.of(path, meshCpu, at('rest')), settings)
  const met = overtaking(ownLine, sharedLine)
  const meets = met && fromLine('count', met, ownLine, own, 'replicas')
  const cpu =
    ownCpu && sharedCpu
      ? `; at rest it added ${withInterval(ownCpu, 'ms')} of CPU a second with sidecars, ${withInterval(sharedCpu, 'ms')} without`
      : ''
  return {
    decision: verdictOfC4({ ownSlope, sharedSlope, ownCpu, worstShare: ownLine.worstShare }),
    sentence: `one more replica added ${withInterval(ownSlope, 'MiB')} of proxies with sidecars and ${withInterval(sharedSlope, 'MiB')} on ${path}${cpu}.${meets ? ` Sidecars take more memory from ${withInterval(meets, 'replicas')} on.` : ''}`,
    figures: [
      ['memory that one more replica adds with sidecars', ownSlope],
      [`memory that one more replica adds on ${path}`, sharedSlope],
      ['CPU a second at rest that one more replica adds with sidecars', ownCpu],
      [`CPU a second at rest that one more replica adds on ${path}`, sharedCpu],
      [`replicas from which on sidecars take more memory than ${path}`, meets],
    ] as const,
  }
}

/** From how many replicas on the first takes more; undefined where it grows no faster, or has taken more from the start. */
export function overtaking(own: Line, shared: Line): Bounded | undefined {
  const met = own.slope > shared.slope ? crossing(own, shared) : undefined
  return met && met.high > 0 ? met : undefined
}

/** What is decided of C4’s first half, from lines alone. */
export function verdictOfC4({
  ownSlope,
  sharedSlope,
  ownCpu,
  worstShare,
}: {
  readonly ownSlope: Located
  readonly sharedSlope: Located
  readonly ownCpu: Bounds | undefined
  readonly worstShare: number
}): Decision {
  const grows = decide(ownSlope, 0)
  // What sidecars add is known no better than the rest.
  const sharedGrows = decide(lessShareOf(sharedSlope, growthLimits.flat, ownSlope), 0)
  const isLinear = worstShare <= growthLimits.linear
  if (grows === 'refuted' || (grows === 'supported' && sharedGrows === 'supported')) return 'refuted'
  const isCpuGrowing = ownCpu !== undefined && decide(ownCpu, 0) === 'supported'
  return grows === 'supported' && isLinear && isCpuGrowing && sharedGrows === 'refuted'
    ? 'supported'
    : 'inconclusive'
}

/**
 * Money an hour for what the hops take, so that cores and memory are one figure: by the prices of the config. Most of it is
 * memory, of which a process is the sample, so that the costs of its rounds are no more than one sample either.
 */
export const judgeC12 = byMesh((run, groups, settings, mesh) => {
  const steps = stepsOf(run, groups, mesh, 'footprint')
  const path = sidecarless.find((name) => steps.of(name, meshMemory, at('load')).size > 0)
  if (path === undefined) return undefined
  const { perVcpuHour, perGibHour } = run.plan.config.cost
  const ratioAt = (what: keyof typeof footprintLoads) => {
    const [reference, treated] = [sidecars, path].map((name) => {
      const [cores, memory] = [steps.of(name, meshCpu, at(what)), steps.of(name, meshMemory, at(what))]
      const most = Math.max(...cores.keys())
      const [of, beside] = [cores.get(most), memory.get(most)]
      if (!of || !beside) return undefined
      // Both are read of the same trials.
      const costs = of.series.map((round, vcpus) => {
        const mib = beside.series.get(round)
        return mib === undefined ? Number.NaN : vcpus * perVcpuHour + (mib / 1024) * perGibHour
      })
      return { most, cell: of.cell, costs }
    })
    if (!reference || !treated || reference.most !== treated.most) return undefined
    const { values, n: lives } = samplesOf(
      meshMemory,
      pairedSeries(treated.costs, reference.costs),
      fewestFirm,
    )
    const [first = [], second = []] = values
    if (first.length === 0) return undefined
    const cells = [treated.cell, reference.cell]
    const step =
      stepOf(run, cells, meshCpu) * perVcpuHour + (stepOf(run, cells, meshMemory) / 1024) * perGibHour
    const { ratio } = comparePaired(first, second, settings, { unit: 'currency', cells, step })
    return { ratio, lives, replicas: reference.most }
  }
  const [rest, load] = [ratioAt('rest'), ratioAt('load')]
  if (!rest || !load) return undefined
  const lives = Math.min(rest.lives, load.lives)
  const ratios = [rest, load].map(({ ratio, lives: n }) => ({ ...ratio, n }))
  const open = ratios.find((ratio) => decide(ratio, growthLimits.farFewer) === 'inconclusive')
  return concluded(
    verdictOfC12(ratios),
    `On ${mesh} with ${load.replicas} replicas the hops of ${path} took ${withInterval(rest.ratio, 'times')} at rest, and ${withInterval(load.ratio, 'times')} under load, of what sidecars took in CPU and memory, at the prices of the config${livesWords(lives)}; “far fewer” is read as at most half of it. There is no control plane here.`,
    [
      [`cost of ${path} at rest to that of sidecars, ${rest.replicas} replicas`, rest.ratio],
      [`cost of ${path} under load to that of sidecars, ${load.replicas} replicas`, load.ratio],
    ],
    lives < fewestFirm
      ? wantingLives
      : open
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
