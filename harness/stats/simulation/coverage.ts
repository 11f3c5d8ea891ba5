/**
 * Shows by simulation that the statistics keep their promises: intervals cover, A/A is quiet, printed effects are
 * found. `npm run bench:coverage` (harness/lab/bench/coverage.ts) prints the tables; harness/stats/README.md holds them.
 */
import { ascending, mean } from '../../protocol/averages.js'
import { holm } from '../families.js'
import { fewestTight, halfWidth, type Location } from '../location.js'
import { locateLogRatios, pair, type Pairing, type Settings } from '../paired.js'
import { randomStream, type RandomStream } from '../random.js'
import { isLook, type RoundLimits } from '../sequential.js'
import { hostNoises, simulateHost, type HostNoise, type SimulatedMetric } from './simulated-host.js'

const level = 0.95
const alpha = 1 - level

/** Baseline, its twin, and three paths with what they cost in truth, as multiples of the baseline. */
const multiples = [1, 1, 1.05, 1.8, 2.5]
const [baseline, twin] = [0, 1]
const subjects = multiples.map((_, arm) => arm).filter((arm) => arm !== baseline && arm !== twin)

const metrics: readonly SimulatedMetric[] = [
  { name: 'p50', spread: 1 },
  { name: 'p99', spread: 3 },
  { name: 'cpu', spread: 0.7 },
].map((metric) => ({ ...metric, truths: multiples.map((multiple) => 0.2 * multiple) }))

export interface Design {
  readonly name: string
  readonly rounds: RoundLimits
  /** Half-width of every ratio at which an adaptive run stops. */
  readonly untilEffect: number
}

/**
 * Names seed the streams of what is simulated. `quick` and `full` are what the profiles of those names do, to which
 * harness/config/profiles.test.ts holds them; `some` is what the full profile does at least.
 */
export const designs = {
  quick: { name: 'quick: 6 to 9 until ± 5 %', rounds: { min: 6, max: 9 }, untilEffect: 0.05 },
  full: { name: 'full: 20 to 200 until ± 2 %', rounds: { min: 20, max: 200 }, untilEffect: 0.02 },
  shortAdaptive: { name: '8 to 40, adaptive', rounds: { min: 8, max: 40 }, untilEffect: 0.1 },
  two: { name: '2 rounds', rounds: { min: 2, max: 2 }, untilEffect: 0 },
  three: { name: '3 rounds', rounds: { min: 3, max: 3 }, untilEffect: 0 },
  five: { name: '5 rounds', rounds: { min: 5, max: 5 }, untilEffect: 0 },
  six: { name: '6 rounds', rounds: { min: 6, max: 6 }, untilEffect: 0 },
  few: { name: '8 rounds', rounds: { min: 8, max: 8 }, untilEffect: 0 },
  some: { name: '20 rounds (full)', rounds: { min: 20, max: 20 }, untilEffect: 0 },
  many: { name: '40 rounds', rounds: { min: 40, max: 40 }, untilEffect: 0 },
} as const satisfies Record<string, Design>

export type DesignName = keyof typeof designs
export type HostName = keyof typeof hostNoises

export interface CoverageRow {
  readonly design: string
  readonly noise: string
  readonly runs: number
  /** Everything was read in steps. */
  readonly stepped: boolean
  /** Chance that no trial of two arms is far off: one that is hides every effect from its run. */
  readonly unhidden: number
  readonly meanRounds: number
  /** Mean rounds of the tenth of the runs that took fewest, and of the tenth that took most. */
  readonly rounds: readonly [fewest: number, most: number]
  /** Share of the intervals of all subjects' ratios that hold the true ratio. */
  readonly ratio: number
  /** The same of the differences, the truth being that of the host as it was in the run. */
  readonly difference: number
  /** Smallest of these shares that any one metric of any one path has. */
  readonly lowest: number
  /** Share of runs whose A/A family (p50, p99, CPU) has a difference. */
  readonly falseAlarms: number
  /** Share of runs whose gate calls an equal variant better or worse, in any of its checks. */
  readonly gateAlarms: number
  /** Share of runs that find an effect of the size that a run printed as detectable. */
  readonly power: number
  /** The same of effects of 5, 10 and 20 %. */
  readonly powers: readonly number[]
  /** Mean printed detectable size of a median, as a share of the baseline. */
  readonly detectable: number
}

interface SteppedSettings extends Settings {
  /** The step in which values were read; 0 when they were not. */
  readonly step: number
}

/** Series of one simulated run: metric → arm → round. */
type Series = readonly (readonly number[][])[]

interface SimulatedRun {
  readonly series: Series
  /** How slow the host was over the run, as a multiple. */
  readonly slowness: number
}

/** Runs until the design says stop. */
function simulateRun(
  noise: HostNoise,
  design: Design,
  stream: RandomStream,
  settings: SteppedSettings,
  truths = metrics,
): SimulatedRun {
  const host = simulateHost(noise, truths, stream)
  const { min, max } = design.rounds
  const series: Series = truths.map(({ truths: arms }) => arms.map(() => []))
  const slowness: number[] = []
  for (let round = 0; round < max; round++) {
    const { values, slowness: ofRound } = host.round(round / Math.max(1, max - 1))
    slowness.push(ofRound)
    values.forEach((row, metric) => row.forEach((value, arm) => series[metric]?.[arm]?.push(value)))
    if (max > min && isLook(round + 1, design.rounds) && isPrecise(series, design.untilEffect, settings))
      break
  }
  return { series, slowness: mean(slowness) }
}

/** As harness/analyze/precision.ts decides it: half of the ratio's interval as a share of the ratio itself. */
function isPrecise(series: Series, untilEffect: number, settings: SteppedSettings): boolean {
  // The noisiest first: it decides nearly always.
  return [1, 0, 2].every((metric) =>
    subjects.every(
      (arm) => Math.sinh(halfWidth(logRatio(series, metric, arm, settings), level)) <= untilEffect,
    ),
  )
}

function logRatio(series: Series, metric: number, arm: number, settings: SteppedSettings): Location {
  const [own = [], base = []] = [series[metric]?.[arm], series[metric]?.[baseline]]
  return locateLogRatios(own, base, settings, settings.step)
}

function compare(series: Series, metric: number, arm: number, settings: SteppedSettings): Pairing {
  return pair(series[metric]?.[arm] ?? [], series[metric]?.[baseline] ?? [], settings, settings.step)
}

/** What the gate takes for too little to matter, of those metrics that it checks by default. */
export const practical: readonly (number | undefined)[] = [0.1, undefined, 0.05]

/** As harness/analyze/gate.ts judges a ratio: does all of its interval lie beyond what matters? */
function isBeyond(ratio: Location, limit: number | undefined): boolean {
  if (limit === undefined) return false
  const half = halfWidth(ratio, level)
  return ratio.value - half > Math.log(1 + limit) || ratio.value + half < Math.log(1 - limit)
}

function covers(location: Location, truth: number): boolean {
  return Math.abs(location.value - truth) <= halfWidth(location, level)
}

/** Simulates `runs` runs of a design on a host. Seeded. */
export function simulateCoverage(noise: HostNoise, design: Design, runs: number, seed = 1): CoverageRow {
  const stream = randomStream(seed, `${noise.name}|${design.name}`)
  const truth = trueDifferences(noise, design, seed)
  const held = metrics.map(() => subjects.map(() => ({ ratio: 0, difference: 0 })))
  let falseAlarms = 0
  let gateAlarms = 0
  const rounds: number[] = []
  let detectable = 0
  for (let run = 0; run < runs; run++) {
    const settings = { seed: run % 16, rounds: design.rounds, step: noise.step ?? 0 }
    const { series, slowness } = simulateRun(noise, design, stream, settings)
    const n = series[0]?.[0]?.length ?? 0
    rounds.push(n)
    held.forEach((ofMetric, metric) =>
      subjects.forEach((arm, subject) => {
        const count = ofMetric[subject] as (typeof ofMetric)[number]
        const { ratio, difference } = compare(series, metric, arm, settings)
        if (covers(ratio, Math.log(multiples[arm] as number))) count.ratio++
        if (covers(difference, (truth[metric]?.[arm] as number) * slowness)) count.difference++
      }),
    )
    const noiseFloor = metrics.map((_, metric) => compare(series, metric, twin, settings))
    if (isFirm(n) && holm(noiseFloor.map(({ pValue }) => pValue)).some((pValue) => pValue < alpha))
      falseAlarms++
    if (isFirm(n) && noiseFloor.some(({ ratio }, metric) => isBeyond(ratio, practical[metric]))) gateAlarms++
    detectable += (noiseFloor[0]?.detectable(alpha / familySize) ?? 0) / 0.2
  }
  const ofRatios = held.flatMap((counts) => counts.map(({ ratio }) => ratio / runs))
  const ofDifferences = held.flatMap((counts) => counts.map(({ difference }) => difference / runs))
  const effect = detectable / runs
  return {
    design: design.name,
    noise: noise.name,
    runs,
    stepped: noise.step !== undefined,
    unhidden: noise.burstSize > farOff ? (1 - noise.burstChance) ** (2 * mean(rounds)) : 1,
    meanRounds: mean(rounds),
    rounds: tenths(rounds),
    ratio: mean(ofRatios),
    difference: mean(ofDifferences),
    lowest: Math.min(...ofRatios, ...ofDifferences),
    falseAlarms: falseAlarms / runs,
    gateAlarms: gateAlarms / runs,
    power: powerOf(noise, design, effect, Math.ceil(runs / 4), seed),
    powers: effects.map((size) => powerOf(noise, design, size, Math.ceil(runs / 4), seed)),
    detectable: effect,
  }
}

/** Bursts of more own spreads than these leave the run that they hit without a finding. */
const farOff = 20

function tenths(values: readonly number[]): [number, number] {
  const sorted = [...ascending(values)]
  const tenth = Math.max(1, Math.floor(sorted.length / 10))
  return [mean(sorted.slice(0, tenth)), mean(sorted.slice(-tenth))]
}

/** Whose power is printed beside that of the detectable one. */
export const effects = [0.05, 0.1, 0.2]

/** Comparisons that a printed detectable size is corrected for: three paths, one metric each. */
const familySize = subjects.length

/** Share of runs in which a path that costs `effect` more is found, the other paths of its family costing nothing. */
function powerOf(noise: HostNoise, design: Design, effect: number, runs: number, seed = 1): number {
  const stream = randomStream(seed, `power|${noise.name}|${design.name}`)
  const truths = metrics.map((metric) => ({
    ...metric,
    truths: multiples.map((_, arm) => 0.2 * (arm === subjects[0] ? 1 + effect : 1)),
  }))
  let found = 0
  for (let run = 0; run < runs; run++) {
    const settings = { seed: run % 16, rounds: design.rounds, step: noise.step ?? 0 }
    const { series } = simulateRun(noise, design, stream, settings, truths)
    const family = holm(subjects.map((arm) => compare(series, 0, arm, settings).pValue))
    if (isFirm(series[0]?.[0]?.length ?? 0) && (family[0] as number) < alpha) found++
  }
  return found / runs
}

/** metric → arm → the centre of all differences that the host makes when it neither drifts nor swings, from many runs of it. */
function trueDifferences(host: HostNoise, design: Design, seed: number): number[][] {
  const stream = randomStream(seed, `truth|${host.name}`)
  const { step: _step, ...unread } = host
  const noise = { ...unread, drift: 0, swing: 0 }
  const fixed = { ...design, rounds: { min: 24, max: 24 } }
  const pooled = metrics.map(() => multiples.map((): number[] => []))
  for (let run = 0; run < 400; run++) {
    const { series } = simulateRun(noise, fixed, stream, { seed, rounds: fixed.rounds, step: 0 })
    series.forEach((arms, metric) =>
      arms.forEach((values, arm) =>
        values.forEach((value, round) => pooled[metric]?.[arm]?.push(value - (arms[baseline]?.[round] ?? 0))),
      ),
    )
  }
  return pooled.map((arms) =>
    arms.map((values) => {
      const means = Array.from({ length: 40_000 }, () => {
        const [a, b] = [values[stream.below(values.length)] ?? 0, values[stream.below(values.length)] ?? 0]
        return (a + b) / 2
      }).sort((a, b) => a - b)
      return means[20_000] as number
    }),
  )
}

/** Fewer rounds give no verdict, whatever their p-value. */
const fewestFirm = 3
export const isFirm = (rounds: number): boolean => rounds >= fewestFirm

/** Promises that a row breaks, allowing for the chance error of `runs` simulated runs (three standard errors). */
export function brokenPromises(row: CoverageRow): string[] {
  const slack = (share: number, runs: number) => 3 * Math.sqrt((share * (1 - share)) / runs)
  const broken: string[] = []
  // Two rounds are not promised to hold anything: nothing is decided by them.
  if (!isFirm(row.meanRounds))
    return row.falseAlarms + row.gateAlarms > 0 ? ['two rounds give a verdict'] : []
  if (row.lowest < 0.93 - slack(0.93, row.runs))
    broken.push(`of one metric of one path only ${percent(row.lowest)} cover, not 93 %`)
  for (const [name, value] of [
    ['ratio', row.ratio],
    ['difference', row.difference],
  ] as const) {
    if (value < 0.93 - slack(0.93, row.runs))
      broken.push(`${name} intervals cover ${percent(value)}, not 93 %`)
    // Where nothing spreads beyond the step that it is read in, more is right.
    if (row.meanRounds >= fewestTight && !row.stepped && value > 0.98 + slack(0.98, row.runs))
      broken.push(`${name} intervals cover ${percent(value)}, more than 98 %`)
  }
  if (row.falseAlarms > 0.05 + slack(0.05, row.runs))
    broken.push(`A/A differs in ${percent(row.falseAlarms)} of runs`)
  if (row.gateAlarms > 0.05 + slack(0.05, row.runs))
    broken.push(`the gate calls an equal variant different in ${percent(row.gateAlarms)} of runs`)
  const promised = 0.8 * row.unhidden
  if (row.power < promised - slack(promised, row.runs / 4))
    broken.push(`a detectable effect is found in ${percent(row.power)}`)
  return broken
}

/** Whether `full` finds an effect of the size that runs of `quick` print as detectable. */
export function findByFull(noise: HostNoise, runs: number) {
  const { detectable: effect } = simulateCoverage(noise, designs.quick, runs)
  const found = powerOf(noise, designs.full, effect, runs)
  const broken = `${noise.name}: ${designs.full.name} finds it in ${percent(found)}, not 95 %`
  return { effect, found, broken: found < 0.95 ? [broken] : [] }
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
