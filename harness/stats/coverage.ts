/**
 * Shows by simulation that the statistics keep their promises: intervals cover, A/A is quiet, printed effects are
 * found. `npm run bench:coverage -- [runs per row, default 10000] [design] [host]` prints a table and exits 1 when
 * one is broken; with a design or a host, by its name in the code, only those rows; with `found` as the design, only
 * whether the full profile finds what ten rounds call detectable. harness/stats/README.md holds a table.
 */
import { pathToFileURL } from 'node:url'
import { holm } from './families.js'
import { halfWidth, type Location } from './location.js'
import { pair, type Pairing, type Settings } from './paired.js'
import { randomStream, type RandomStream } from './random.js'
import { isLook, type RoundLimits } from './sequential.js'
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

export const designs = {
  rounds8: { name: '8 rounds', rounds: { min: 8, max: 8 }, untilEffect: 0 },
  rounds10: { name: '10 rounds (quick)', rounds: { min: 10, max: 10 }, untilEffect: 0 },
  rounds12: { name: '12 rounds', rounds: { min: 12, max: 12 }, untilEffect: 0 },
  rounds20: { name: '20 rounds (full)', rounds: { min: 20, max: 20 }, untilEffect: 0 },
  rounds40: { name: '40 rounds', rounds: { min: 40, max: 40 }, untilEffect: 0 },
  adaptive8: { name: '8 to 40, adaptive', rounds: { min: 8, max: 40 }, untilEffect: 0.1 },
  adaptive20: { name: '20 to 80, adaptive (full)', rounds: { min: 20, max: 80 }, untilEffect: 0.065 },
} as const satisfies Record<string, Design>

export interface CoverageRow {
  readonly design: string
  readonly noise: string
  readonly runs: number
  readonly meanRounds: number
  /** Share of the intervals of all subjects' ratios that hold the true ratio. */
  readonly ratio: number
  /** The same of the differences, the truth being that of the host as it was in the run. */
  readonly difference: number
  /** Share of runs whose A/A family (p50, p99, CPU) has a difference. */
  readonly falseAlarms: number
  /** Share of runs that find an effect of the size that a run printed as detectable. */
  readonly power: number
  /** Mean printed detectable size of a median, as a share of the baseline. */
  readonly detectable: number
}

/** Series of one simulated run: metric → arm → round. */
type Series = readonly (readonly number[][])[]

/** Runs until the design says stop. Returns every arm's values. */
function simulateRun(
  noise: HostNoise,
  design: Design,
  stream: RandomStream,
  settings: Settings,
  truths = metrics,
): Series {
  const host = simulateHost(noise, truths, stream)
  const { min, max } = design.rounds
  const series: Series = truths.map(({ truths: arms }) => arms.map(() => []))
  for (let round = 0; round < max; round++) {
    const values = host.round(round / Math.max(1, max - 1))
    values.forEach((row, metric) => row.forEach((value, arm) => series[metric]?.[arm]?.push(value)))
    if (max > min && isLook(round + 1, design.rounds) && isPrecise(series, design.untilEffect, settings))
      break
  }
  return series
}

function isPrecise(series: Series, untilEffect: number, settings: Settings): boolean {
  // The noisiest first: it decides nearly always.
  return [1, 0, 2].every((metric) =>
    subjects.every((arm) => halfWidth(compare(series, metric, arm, settings).ratio, level) <= untilEffect),
  )
}

function compare(series: Series, metric: number, arm: number, settings: Settings): Pairing {
  return pair(series[metric]?.[arm] ?? [], series[metric]?.[baseline] ?? [], settings)
}

function covers(location: Location, truth: number): boolean {
  return Math.abs(location.value - truth) <= halfWidth(location, level)
}

/** Simulates `runs` runs of a design on a host. Seeded. */
export function simulateCoverage(noise: HostNoise, design: Design, runs: number, seed = 1): CoverageRow {
  const stream = randomStream(seed, `${noise.name}|${design.name}`)
  const truth = trueDifferences(noise, design, seed)
  const held = { ratio: 0, difference: 0, of: 0 }
  let falseAlarms = 0
  let rounds = 0
  let detectable = 0
  for (let run = 0; run < runs; run++) {
    const settings = { seed: run % 16, rounds: design.rounds }
    const series = simulateRun(noise, design, stream, settings)
    const n = series[0]?.[0]?.length ?? 0
    rounds += n
    // The host as it was in this run: half of the drift from its first round to its last.
    const drifted = Math.exp((noise.drift * (n - 1)) / Math.max(1, design.rounds.max - 1) / 2)
    metrics.forEach((_, metric) =>
      subjects.forEach((arm) => {
        const { ratio, difference } = compare(series, metric, arm, settings)
        held.of++
        if (covers(ratio, Math.log(multiples[arm] as number))) held.ratio++
        if (covers(difference, (truth[metric]?.[arm] as number) * drifted)) held.difference++
      }),
    )
    const family = metrics.map((_, metric) => compare(series, metric, twin, settings).pValue)
    if (holm(family).some((pValue) => pValue < alpha)) falseAlarms++
    detectable += compare(series, 0, twin, settings).detectable(alpha / familySize) / 0.2
  }
  const effect = detectable / runs
  return {
    design: design.name,
    noise: noise.name,
    runs,
    meanRounds: rounds / runs,
    ratio: held.ratio / held.of,
    difference: held.difference / held.of,
    falseAlarms: falseAlarms / runs,
    power: powerOf(noise, design, effect, Math.ceil(runs / 4), seed),
    detectable: effect,
  }
}

/** Comparisons that a printed detectable size is corrected for: three paths, one metric each. */
const familySize = subjects.length

/** Share of runs in which a path that costs `effect` more is found, the other paths of its family costing nothing. */
export function powerOf(noise: HostNoise, design: Design, effect: number, runs: number, seed = 1): number {
  const stream = randomStream(seed, `power|${noise.name}|${design.name}`)
  const truths = metrics.map((metric) => ({
    ...metric,
    truths: multiples.map((_, arm) => 0.2 * (arm === subjects[0] ? 1 + effect : 1)),
  }))
  let found = 0
  for (let run = 0; run < runs; run++) {
    const settings = { seed: run % 16, rounds: design.rounds }
    const series = simulateRun(noise, design, stream, settings, truths)
    const family = holm(subjects.map((arm) => compare(series, 0, arm, settings).pValue))
    if ((family[0] as number) < alpha) found++
  }
  return found / runs
}

/** metric → arm → the centre of all differences that the host makes when it does not drift, from many runs of it. */
function trueDifferences(host: HostNoise, design: Design, seed: number): number[][] {
  const stream = randomStream(seed, `truth|${host.name}`)
  const noise = { ...host, drift: 0 }
  const fixed = { ...design, rounds: { min: 24, max: 24 } }
  const pooled = metrics.map(() => multiples.map((): number[] => []))
  for (let run = 0; run < 400; run++) {
    const series = simulateRun(noise, fixed, stream, { seed, rounds: fixed.rounds })
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

/** Promises that a row breaks, allowing for the chance error of `runs` simulated runs (three standard errors). */
export function brokenPromises(row: CoverageRow): string[] {
  const slack = (share: number, runs: number) => 3 * Math.sqrt((share * (1 - share)) / runs)
  const broken: string[] = []
  for (const [name, value] of [
    ['ratio', row.ratio],
    ['difference', row.difference],
  ] as const) {
    if (value < 0.93 - slack(0.93, row.runs))
      broken.push(`${name} intervals cover ${percent(value)}, not 93 %`)
    if (value > 0.97 + slack(0.97, row.runs))
      broken.push(`${name} intervals cover ${percent(value)}, more than 97 %`)
  }
  if (row.falseAlarms > 0.05 + slack(0.05, row.runs))
    broken.push(`A/A differs in ${percent(row.falseAlarms)} of runs`)
  if (row.power < 0.8 - slack(0.8, row.runs / 4))
    broken.push(`a detectable effect is found in ${percent(row.power)}`)
  return broken
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function main(runs: number, design?: string, host?: string): void {
  const chosen = <T>(all: Readonly<Record<string, T>>, name?: string): T[] =>
    Object.entries(all).flatMap(([key, value]) => (name === undefined || key === name ? [value] : []))
  const hosts = chosen<HostNoise>(hostNoises, host)
  console.log(`${runs} simulated runs a row; 95 % intervals; A/A and power after Holm's correction\n`)
  const head = [
    'design',
    'host',
    'rounds',
    'ratio covers',
    'diff. covers',
    'A/A differs',
    'detectable',
    'found',
  ]
  const widths = [26, 36, 7, 13, 13, 12, 11, 8]
  const line = (cells: readonly string[]) =>
    console.log(
      cells
        .map((cell, index) =>
          index < 2 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
        )
        .join(' '),
    )
  line(head)
  const broken: string[] = []
  for (const one of design === 'found' ? [] : chosen<Design>(designs, design))
    for (const noise of hosts) {
      const row = simulateCoverage(noise, one, runs)
      line([
        row.design,
        row.noise,
        row.meanRounds.toFixed(1),
        percent(row.ratio),
        percent(row.difference),
        percent(row.falseAlarms),
        percent(row.detectable),
        percent(row.power),
      ])
      broken.push(...brokenPromises(row).map((promise) => `${row.design}, ${row.noise}: ${promise}`))
    }
  const looked = design === undefined || design === 'found' ? hosts : []
  if (looked.length > 0)
    console.log('\nAn effect that 10 rounds call detectable, looked for with the rounds of the full profile:')
  for (const noise of looked) {
    const { detectable } = simulateCoverage(noise, designs.rounds10, Math.ceil(runs / 4))
    for (const full of [designs.rounds20, designs.adaptive20]) {
      const found = powerOf(noise, full, detectable, Math.ceil(runs / 4))
      console.log(`  ${noise.name}: ${percent(detectable)} found by ${full.name} in ${percent(found)}`)
      if (found < 0.95) broken.push(`${noise.name}: ${full.name} finds it in ${percent(found)} only`)
    }
  }
  console.log(broken.length === 0 ? '\nevery promise is kept' : `\nbroken:\n  ${broken.join('\n  ')}`)
  process.exitCode = broken.length === 0 ? 0 : 1
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(Number(process.argv[2] ?? 10_000), process.argv[3], process.argv[4])
}
