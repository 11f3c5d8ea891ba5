/** Journal in, analysis out: everything that a report says is computed here, and nothing is read or written. */
import { defined } from '../model/defined.js'
import type {
  Analysis,
  CellAnalysis,
  JournalEntry,
  NoiseFloor,
  ResolvedConfig,
  TrialError,
} from '../model.js'
import { analyzeCell } from './cells/cells.js'
import { claimsOf } from './claims/claims.js'
import { compareCells } from './comparisons.js'
import type { Settings } from '../stats/paired.js'
import { cutWarnings, driftWarnings, oddTrials } from './trust/health.js'
import { kneeWarnings, searchGoesOn } from './cells/knees.js'
import { fleetBills } from './cells/fleet.js'
import { incrementsOf } from './increments.js'
import { noiseFloors } from './trust/noise.js'
import { roundsOf, unvariedLines } from '../model/plan.js'
import { cellGroups, indexJournal, type Run } from './readings.js'
import { proofsOf, summarizeTrial } from './trials.js'
import { figure, withInterval } from './words.js'
import { settledTrials } from '../model/attempts.js'
import { check } from './check.js'

/**
 * Analyses a journal, whole or cut short. Seeded by the plan's config: the same entries give the same analysis.
 *
 * Throws when there is no run header. What has no valid trial has estimates with `n: 0` or none at all; one round has
 * estimates whose method says that they have no interval. No number is NaN or infinite.
 */
export function analyze(entries: readonly JournalEntry[]): Analysis {
  const run = indexJournal(entries)
  const { header, plan, end } = run
  const settings: Settings = { seed: plan.config.seed, rounds: plan.config.rounds }
  const all = cellGroups(run)
  // Trials of a search had different rates: only their outcomes are comparable.
  const groups = all.filter(({ cells: [first] }) => !first?.search)
  const cells = plan.cells.map((cell) => analyzeCell(run, cell, settings))
  const noise = noiseFloors(run, groups, settings)
  const comparisons = compareCells(run, all, settings)
  const odd = oddTrials(run)
  const last = run.trials.at(-1)
  const failures = failuresOf(run)
  return {
    schema: 1,
    version: header.version,
    runId: header.runId,
    startedAt: header.startedAt,
    endedAt: end?.at ?? endOf(last) ?? header.startedAt,
    outcome: end?.outcome ?? 'unfinished',
    command: header.command,
    planHash: plan.hash,
    config: plan.config,
    host: header.host,
    facts: uniqueFacts(run),
    arms: plan.arms.map((arm) => ({ ...arm, ...defined({ build: buildOf(run, arm.id) }) })),
    paths: plan.paths,
    components: run.components,
    cells,
    comparisons,
    noise,
    increments: incrementsOf(run, groups, settings),
    ...defined({ fleet: fleetBills(run, groups, settings) }),
    claims: claimsOf(run, all, settings),
    thresholds: check(
      { config: plan.config, cells, comparisons, arms: plan.arms },
      (cell) => (run.cellOf.get(cell)?.script ?? []).length > 0,
    ),
    trials: run.trials.map((trial) => summarizeTrial(run, trial, odd.get(trial) ?? [])),
    proofs: proofsOf(run),
    failures,
    rounds: {
      planned: roundsOf(plan),
      done: roundsDone(run),
    },
    warnings: [
      ...noise.flatMap(noiseWarning),
      ...outcomeWarnings(run, failures),
      ...engineWarnings(plan.config, cells),
      ...cells.flatMap((cell) => cellWarnings(run, cell)),
      ...cells.flatMap((cell) => kneeWarnings(run, cell, cells)),
      ...billWarnings(cells),
      ...cutWarnings(run, groups),
      ...driftWarnings(run, groups),
      ...run.notes.map(({ text }) => text),
    ],
  }
}

function endOf(trial: { startedAt: string; elapsedMs: number } | undefined): string | undefined {
  return trial && new Date(Date.parse(trial.startedAt) + trial.elapsedMs).toISOString()
}

/** Arms that did not come up the last time that their environment did: a resumed run tries them again. */
function failuresOf(run: Run): Readonly<Record<string, TrialError>> {
  const last = new Map(run.environments.map(({ environment, failures }) => [environment, failures]))
  return Object.fromEntries([...last.values()].flatMap((failures) => Object.entries(failures)))
}

/** The last word on what carried an arm's traffic. */
function buildOf(run: Run, arm: string): string | undefined {
  return run.environments.findLast(({ builds }) => builds?.[arm] !== undefined)?.builds?.[arm]
}

function uniqueFacts(run: Run): Analysis['facts'] {
  const unvaried = unvariedLines(run.plan).map((value) => ({ name: 'not varied', value }))
  const facts = [...run.environments.flatMap((environment) => environment.facts), ...unvaried]
  return facts.filter(
    ({ name, value }, index) =>
      facts.findIndex((other) => other.name === name && other.value === value) === index,
  )
}

/** Rounds in which every planned trial was run, however it ended. */
function roundsDone(run: Run): number {
  const tried = settledTrials(run.trials)
  // A search that found what it looked for leaves the rest of its trials out.
  const found = new Set(
    run.plan.cells.filter((cell) => cell.search && !searchGoesOn(run, cell)).map(({ id }) => id),
  )
  const open = new Set(
    run.plan.order
      .filter(({ index, cell }) => !tried.has(index) && !found.has(cell))
      .map(({ round }) => round),
  )
  const planned = new Set(run.plan.order.map(({ round }) => round))
  return [...planned].filter((round) => !open.has(round)).length
}

function noiseWarning(floor: NoiseFloor): string[] {
  if (!floor.differs) return []
  const { experiment, loadLabel, environment, latencyP50, latencyP99, cpu } = floor
  const figures = [
    `p50 by ${withInterval(latencyP50, 'ms')}`,
    ...(latencyP99 ? [`p99 by ${withInterval(latencyP99, 'ms')}`] : []),
    ...(cpu ? [`CPU by ${withInterval(cpu, 'ms per 1 000 requests')}`] : []),
  ]
  return [
    `A/A differs: two measurements of the same baseline disagree beyond chance (${experiment}, ${loadLabel}, ${environment}): ${figures.join(', ')}. Differences of this size between paths mean nothing in this run.`,
  ]
}

function outcomeWarnings({ end, resumes }: Run, failures: Analysis['failures']): string[] {
  const warnings: string[] = []
  if (!end) warnings.push('The run did not come to its end: this is what its journal holds.')
  else if (end.outcome === 'interrupted')
    warnings.push('The run was interrupted: this is what was measured before.')
  else if (end.outcome === 'failed') warnings.push(`The run failed${end.message ? `: ${end.message}` : ''}.`)
  else if (end.outcome === 'budget')
    warnings.push('The time budget ended before every comparison was as precise as wanted.')
  if (resumes.length > 0)
    warnings.push(
      `The run was resumed ${resumes.length === 1 ? 'once' : `${resumes.length} times`}: rounds before and after met the host in different states.`,
    )
  for (const [arm, { message }] of Object.entries(failures))
    warnings.push(`${arm} did not come up: ${message}`)
  return warnings
}

/** An engine of the user's choice is named with all that it cannot give, so that nothing is taken for what it is not. */
function engineWarnings({ engines = {} }: ResolvedConfig, cells: readonly CellAnalysis[]): string[] {
  return Object.entries(engines).map(([experiment, engine]) => {
    const driven = cells.filter((cell) => cell.experiment === experiment)
    const limits = [...new Set(driven.flatMap(({ engineLimits = [] }) => engineLimits))]
    return `${experiment} was driven by ${engine}, as was asked${limits.length === 0 ? '' : `. What it cannot give: ${limits.join('; ')}`}.`
  })
}

function cellWarnings(run: Run, { cell, trials, load }: CellAnalysis): string[] {
  const bad = trials.invalid + trials.failed
  const all = trials.ok + bad
  if (all === 0) return []
  if (trials.ok === 0)
    return [`${cell} has no valid trial (${trials.invalid} invalid, ${trials.failed} failed).`]
  const loads = [...(run.valid.get(cell)?.values() ?? [])].flatMap(({ load: seen }) => seen ?? [])
  const sent = loads.reduce((sum, seen) => sum + seen.sent, 0)
  const { search, script } = run.cellOf.get(cell) ?? {}
  // Of a search and of a script, requests that failed are findings.
  const isFinding = search !== undefined || script !== undefined
  const failed =
    sent === 0 || isFinding ? 0 : loads.reduce((sum, seen) => sum + seen.sent - seen.ok, 0) / sent
  return [
    ...(bad / all > 0.2 ? [`${cell}: ${bad} of ${all} trials were invalid or failed.`] : []),
    ...(failed > 0
      ? [
          `${cell}: ${figure(failed * 100)} % of requests of valid trials failed. Each counts as one that took the time-out of ${figure(load.timeoutMs / 1000)} s, and CPU is that of the answered ones.`,
        ]
      : []),
  ]
}

/** A bill whose parts miss more of the host than this is said not to reconcile. */
const mostUnaccounted = 0.03

/** One warning for all cells: what is unaccounted comes from the host, and is much the same under each of them. */
function billWarnings(cells: readonly CellAnalysis[]): string[] {
  const off = cells
    .filter(({ unaccountedShare = 0 }) => Math.abs(unaccountedShare) > mostUnaccounted)
    .sort((a, b) => Math.abs(b.unaccountedShare ?? 0) - Math.abs(a.unaccountedShare ?? 0))
  const [worst] = off
  if (!worst) return []
  const share = ((worst.unaccountedShare ?? 0) * 100).toFixed(1)
  return [
    `The bill does not reconcile within ${mostUnaccounted * 100} % in ${off.length} of ${cells.length} cells: the host used more or less than all components together, by ${share} % at worst (${worst.cell}). That is work of the kernel or of others; it is a row of its own in the bill.`,
  ]
}
