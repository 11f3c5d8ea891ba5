/** Whether the run itself was well: drift, slow starts, outliers. They are told, never dropped. */
import { cpu } from '../../../scenarios/metrics.js'
import { experimentNamed } from '../../../scenarios/registry.js'
import type { Cell, Trial } from '../../model.js'
import { median } from '../../protocol/averages.js'
import { holm } from '../../stats/families.js'
import { mannKendall, robustScores, theilSen } from '../../stats/trend.js'
import { alpha } from '../estimates.js'
import { latencyMs, readMetric, seriesOf, type CellGroup, type Run } from '../readings.js'
import { figure } from '../words.js'

/** Robust standard deviations beyond which a trial is called an outlier. */
const outlierScore = 5
/** Fewer rounds cannot tell drift from chance. */
const fewestForDrift = 6
const fewestForOutliers = 5

/** trial → what is odd about it beside the others of its cell. */
export function oddTrials(run: Run): ReadonlyMap<Trial, readonly string[]> {
  const odd = new Map<Trial, string[]>()
  for (const [cell, rounds] of run.valid) {
    if (run.cellOf.get(cell)?.search) continue
    const trials = [...rounds.values()]
    if (trials.length < fewestForOutliers) continue
    for (const { name, value } of watched(run)) {
      const values = trials.map(value)
      if (values.includes(undefined)) continue
      const scores = robustScores(values.map((measured) => Math.log(Math.max(measured ?? 0, 1e-9))))
      trials.forEach((trial, index) => {
        const score = scores[index] ?? 0
        if (Math.abs(score) < outlierScore) return
        const where = trial.round === 0 ? 'first trial of its cell, ' : ''
        odd.set(trial, [
          ...(odd.get(trial) ?? []),
          `${where}outlier: ${name} lies ${figure(Math.abs(score))} robust standard deviations ${score > 0 ? 'above' : 'below'} its cell’s median; it is kept`,
        ])
      })
    }
  }
  return odd
}

function watched(run: Run): readonly { name: string; value: (trial: Trial) => number | undefined }[] {
  return [
    { name: 'p50', value: (trial) => latencyMs(trial, 'response', 50) ?? latencyMs(trial, 'service', 50) },
    { name: 'CPU', value: (trial) => readMetric(run, trial, cpu) },
  ]
}

/**
 * Rounds that a resume cut: what was measured before it and what was measured after it are not paired, which is said of each
 * experiment, or of each of its loads where those are not compared with each other.
 */
export function cutWarnings(run: Run, groups: readonly CellGroup[]): string[] {
  const cut = new Map<string, Set<number>>()
  for (const { experiment, loadLabel, environment, cells } of groups) {
    const comparesLoads = experimentNamed(experiment)?.comparesLoads === true
    const where = comparesLoads
      ? `${experiment}, ${environment}`
      : `${experiment}, ${loadLabel}, ${environment}`
    const beside = comparesLoads
      ? groups.filter((other) => other.experiment === experiment && other.environment === environment)
      : [{ cells }]
    const compared = beside.flatMap((group) => group.cells)
    cut.set(where, new Set([...(cut.get(where) ?? []), ...cutRounds(run, compared)]))
  }
  return [...cut].flatMap(([where, rounds]) => {
    if (rounds.size === 0) return []
    const numbers = [...rounds].sort((a, b) => a - b).map((round) => round + 1)
    const [named, were] = numbers.length === 1 ? ['Round', 'was'] : ['Rounds', 'were']
    return [
      `${named} ${numbers.join(', ')} ${were} cut when the run was resumed (${where}): trials from before and after are kept, and not paired with each other, since they were not measured side by side.`,
    ]
  })
}

/** Rounds in which some of these cells were measured in another coming-up of their environment than others. */
function cutRounds(run: Run, cells: readonly Cell[]): ReadonlySet<number> {
  const stayIn = new Map<number, number | undefined>()
  const cut = new Set<number>()
  for (const { id } of cells)
    for (const [round, trial] of run.valid.get(id) ?? []) {
      const stay = run.stayOf.get(trial)
      if (stayIn.has(round) && stayIn.get(round) !== stay) cut.add(round)
      stayIn.set(round, stay)
    }
  return cut
}

/**
 * Drift over the run and slow first rounds, as warnings. Arms are compared within a round, so it hits all alike. The tests of
 * all loads are one family: of dozens some would find a trend by chance.
 */
export function driftWarnings(run: Run, groups: readonly CellGroup[]): string[] {
  const series = groups
    .flatMap((group) =>
      watched(run).map(({ name, value }) => ({ group, name, byRound: relativeByRound(run, group, value) })),
    )
    .filter(({ byRound }) => byRound.length >= fewestForDrift)
    .map((of) => ({ ...of, values: of.byRound.map(([, mean]) => mean) }))
  const pValues = series.map(({ values }) => mannKendall(values))
  const adjusted = holm(pValues)
  return series.flatMap(({ group, name, byRound, values }, index) => {
    const warnings: string[] = []
    if ((adjusted[index] ?? 1) < alpha / 2) {
      const share = theilSen(values) * (values.length - 1)
      warnings.push(
        `${name} drifted by ${figure(share * 100)} % over the run, over all arms (${group.experiment}, ${group.loadLabel}; Mann–Kendall p = ${figure(pValues[index] ?? 1)}): comparisons are made within rounds and hold, absolute figures are those of the whole run`,
      )
    }
    const [first = 0, ...rest] = values
    const score = robustScores([...rest, first]).at(-1) ?? 0
    if (byRound[0]?.[0] === 0 && score > outlierScore)
      warnings.push(
        `the first round was slow: ${name} was ${figure((first / median(rest) - 1) * 100)} % above the other rounds (${group.experiment}, ${group.loadLabel}); it is kept, and a longer warm-up would help`,
      )
    return warnings
  })
}

/** round → mean over cells of the value relative to the cell's own median. */
function relativeByRound(
  run: Run,
  group: CellGroup,
  value: (trial: Trial) => number | undefined,
): readonly (readonly [number, number])[] {
  const sums = new Map<number, { total: number; count: number }>()
  for (const { id } of group.cells) {
    const series = seriesOf(run, id, value)
    const centre = median([...series.values()])
    if (!(centre > 0)) continue
    for (const [round, measured] of series) {
      const sum = sums.get(round) ?? { total: 0, count: 0 }
      sums.set(round, { total: sum.total + measured / centre, count: sum.count + 1 })
    }
  }
  return [...sums]
    .sort(([a], [b]) => a - b)
    .map(([round, { total, count }]) => [round, total / count] as const)
}
