/** What every section and chart asks of an Analysis: arms in order with their look, the load to lead with, look-ups. */
import { figure } from '../../harness/analyze/words.js'
import { carriedPath } from '../../harness/model/paths.js'
import { baselineMesh } from '../../harness/model/plan.js'
import * as metrics from '../../scenarios/metrics.js'
import type {
  Analysis,
  Arm,
  CellAnalysis,
  ClaimAnalysis,
  Comparison,
  Estimate,
  Increment,
  LoadSpec,
  Metric,
  NoiseFloor,
  Path,
  TrialSummary,
} from '../../harness/model.js'
import { loadLabel as usualLabel } from '../../scenarios/experiments/experiment.js'
import { loadText } from '../formats/format.js'
import { safeColour, shaded } from './theme.js'

/** Percentiles that reports lead with, as keys of `CellAnalysis.response`. */
export const percentiles = ['50', '90', '99', '99.9'] as const

/** Longest label that a chart can print beside a bar. */
const longestLabel = 52

/** Mark shapes, one per variant, or per mesh where nothing varies: what differs never differs by hue alone. */
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'] as const

export interface ArmView {
  readonly id: string
  readonly arm: Arm
  /** Safe in attributes and selectors: `a0`, `a1`, … */
  readonly key: string
  /** `L4-L7-L4`, with the mesh in front when the run has several. */
  readonly label: string
  readonly path: Path
  /** CSS colour, the same in every figure. */
  readonly colour: string
  readonly shape: (typeof shapes)[number]
}

/** One load under which arms are compared. */
export interface LoadView {
  readonly experiment: string
  readonly loadLabel: string
  readonly load: LoadSpec
  /** `a spare hop starts, 200 new connections/s, …`: no two loads of an experiment have the same. */
  readonly text: string
}

type Place = { readonly [Key in 'experiment' | 'loadLabel']?: string | undefined }

/** Whether something was measured under a load; nothing was under none. */
export const isUnder = (load: Place | undefined) => (measured: Place) =>
  load !== undefined && measured.experiment === load.experiment && measured.loadLabel === load.loadLabel

export interface View {
  readonly analysis: Analysis
  readonly arms: readonly ArmView[]
  readonly subjects: readonly ArmView[]
  /** Every experiment's loads, the slowest open-loop rate first. */
  readonly loads: readonly LoadView[]
  /** The load that the answer speaks of. */
  readonly lead: LoadView | undefined
  /** Rounds that the answer rests on: those done under the leading load, which may be fewer than a search had. */
  readonly rounds: number
  arm(id: string): ArmView
  cell(arm: string, load?: LoadView): CellAnalysis | undefined
  /** The comparison of an arm with its baseline, or with `versus`. */
  compare(arm: string, metrics: readonly Metric[], options?: CompareOptions): Comparison | undefined
  /** What an arm adds to its baseline; for the baseline's twin that is the A/A difference. */
  added(arm: string, what: 'latency' | 'cpu', options?: Omit<CompareOptions, 'versus'>): Added | undefined
  /** Environments in which arms were measured, in order; each has a baseline and a noise floor of its own. */
  readonly environments: readonly string[]
  /** Whether a trial had a rate to keep. A closed loop and a search for the largest rate use all that they can, on purpose. */
  paced(trial: TrialSummary): boolean
  /** Increments under the leading load, named without it. */
  readonly increments: readonly Increment[]
}

export interface Added {
  readonly metric: string
  readonly percentile?: number | undefined
  readonly estimate: Estimate
}

interface CompareOptions {
  readonly percentile?: number | undefined
  readonly versus?: string
  readonly load?: LoadView | undefined
}

/** What counts as a latency comparison; engines without a due time have only service times. */
export const latencyMetrics: readonly Metric[] = [
  metrics.addedTime,
  metrics.responseTime,
  metrics.serviceTime,
]
export const cpuMetrics: readonly Metric[] = [metrics.addedCpu, metrics.cpu]

/** Prepares an analysis for display. Pure and cheap: a few maps. */
export function createView(analysis: Analysis): View {
  const paths = new Map(analysis.paths.map((path) => [path.name, path]))
  const meshes = [...new Set(analysis.arms.map(({ mesh }) => mesh).filter((mesh) => mesh !== baselineMesh))]
  const environments = [...new Set(analysis.arms.map(({ environment }) => environment))]
  const labels = new Set<string>()
  const arms = analysis.arms.map((arm, index): ArmView => {
    const path = carriedPath(arm, paths.get(arm.path) ?? unknownPath(arm.path))
    return {
      id: arm.id,
      arm,
      key: `a${index}`,
      label: uniqueLabel(armLabel(arm, path, meshes.length > 1, environments.length > 1), labels),
      path,
      colour: `var(--path-${[...paths.keys()].indexOf(arm.path)}${shadeName(shadeOf(arm, analysis.arms))}, #767676)`,
      shape: shapes[Math.max(0, shapeOf(arm, meshes, analysis.arms)) % shapes.length] ?? 'circle',
    }
  })
  const byId = new Map(arms.map((arm) => [arm.id, arm]))
  const loads = collectLoads(analysis.cells)
  const lead = chooseLead(loads, analysis)
  const cells = new Map(analysis.cells.map((cell) => [key(cell.experiment, cell.loadLabel, cell.arm), cell]))
  const comparisons = new Map<string, Comparison>()
  for (const comparison of analysis.comparisons) {
    const { experiment, loadLabel, arm, versus, metric, percentile } = comparison
    const id = key(experiment, loadLabel, arm, versus, metric, percentile)
    if (!comparisons.has(id)) comparisons.set(id, comparison)
  }
  const compare: View['compare'] = (arm, metrics, options = {}) => {
    const load = options.load ?? lead
    const versus = options.versus ?? byId.get(arm)?.arm.baseline
    if (load === undefined || versus === undefined) return undefined
    const ids = metrics.map(({ id }) =>
      key(load.experiment, load.loadLabel, arm, versus, id, options.percentile),
    )
    return ids.map((id) => comparisons.get(id)).find((found) => found !== undefined)
  }
  const unpaced = new Set(
    analysis.cells.filter(({ knee, load }) => knee || load.model === 'closed').map(({ cell }) => cell),
  )
  return {
    analysis,
    arms,
    subjects: arms.filter((arm) => arm.arm.role === 'subject'),
    loads,
    lead,
    rounds: roundsOf(lead, analysis),
    arm: (id) => byId.get(id) ?? strangerArm(id),
    cell: (arm, load = lead) =>
      load === undefined ? undefined : cells.get(key(load.experiment, load.loadLabel, arm)),
    compare,
    added(arm, what, options = {}) {
      const twin = byId.get(arm)?.arm
      if (twin?.role === 'twin') {
        const floors = analysis.noise.filter(isUnder(options.load ?? lead))
        const floor = floors.find(({ environment }) => environment === twin.environment)
        const estimate = noiseOf(floor, what, options.percentile)
        if (estimate !== undefined)
          return { metric: `noise.${what}`, percentile: options.percentile, estimate }
      }
      return addedOf(compare(arm, what === 'cpu' ? cpuMetrics : latencyMetrics, options))
    },
    environments,
    paced: (trial) => !unpaced.has(trial.cell),
    increments: incrementsAt(lead, analysis),
  }
}

/** What every summary says of an arm: what it adds at p50, at p99 and in CPU, which has a sign, and the memory of its hops. */
export function summaryOf({ id }: ArmView, view: View) {
  const added = [
    view.added(id, 'latency', { percentile: 50 }),
    view.added(id, 'latency', { percentile: 99 }),
    view.added(id, 'cpu'),
  ]
  return [
    ...added.map((found) => ({ estimate: found?.estimate, sign: true })),
    { estimate: view.cell(id)?.hopMemory, sign: false },
  ]
}

/** What failed of the requests behind a summary, a sentence an arm: its figures hold the time-out for each, which they do not say. */
export function failedRequests(view: View): string[] {
  const { analysis, arms } = view
  return arms.flatMap(({ id, label }) => {
    const cell = view.cell(id)
    const valid = analysis.trials.filter(({ cell: of, state }) => state === 'ok' && of === cell?.cell)
    const sum = (key: 'sent' | 'errors') => valid.reduce((total, trial) => total + (trial[key] ?? 0), 0)
    const failed = sum('errors') / sum('sent')
    if (!cell || cell.knee || !(failed > 0)) return []
    return [
      `${figure(failed * 100)} % of the requests of ${label} failed: each counts as one that took the time-out of ${figure(cell.load.timeoutMs / 1000)} s.`,
    ]
  })
}

export const isPartial = ({ outcome }: Analysis) => !['complete', 'precise', 'budget'].includes(outcome)

export const withNext = ({ verdict, sentence, next }: ClaimAnalysis): string =>
  verdict === 'inconclusive' && next !== undefined ? `${sentence} To decide it: ${next}.` : sentence

/** What a comparison tells of its arm. */
export const addedOf = (found: Comparison | undefined): Added | undefined =>
  found && { metric: found.metric, percentile: found.percentile, estimate: found.difference }

/** Rounds in which every arm had its trial under a load, however it ended. Arms of a search need different numbers. */
function roundsOf(load: LoadView | undefined, { cells, trials, rounds }: Analysis): number {
  const here = cells.filter(isUnder(load))
  if (here.length === 0 || here.some(({ knee }) => knee)) return rounds.done
  const done = new Map(here.map(({ cell }) => [cell, new Set<number>()]))
  for (const { cell, round, error } of trials) if (error?.kind !== 'interrupted') done.get(cell)?.add(round)
  const [first, ...others] = [...done.values()]
  return [...(first ?? [])].filter((round) => others.every((other) => other.has(round))).length
}

function incrementsAt(lead: LoadView | undefined, analysis: Analysis): readonly Increment[] {
  if (lead === undefined) return []
  const cells = new Set(analysis.cells.filter(isUnder(lead)).map(({ cell }) => cell))
  return analysis.increments
    .filter((increment) => increment.latencyP50.cells.every((cell) => cells.has(cell)))
    .map((increment) => ({ ...increment, title: increment.title.replace(`, ${lead.loadLabel}`, '') }))
}

function noiseOf(noise: NoiseFloor | undefined, what: 'latency' | 'cpu', percentile?: number) {
  if (what === 'cpu') return noise?.cpu
  return percentile === 50 ? noise?.latencyP50 : percentile === 99 ? noise?.latencyP99 : undefined
}

/** Shades of a path's colour: as it is, darker and lighter, for builds and meshes that share the path. */
const shadeSteps = [0, -0.38, 0.3, -0.6] as const
const shadeName = (shade: number) => (shade === 0 ? '' : `-${shade}`)

/** Which shade an arm has among those of its path: the first variant, or the first mesh, has the path's own colour. */
function shadeOf(arm: Arm, arms: readonly Arm[]): number {
  const family = arms.filter(({ path, role }) => path === arm.path && role === 'subject')
  return Math.max(0, family.indexOf(arm)) % shadeSteps.length
}

function shapeOf(arm: Arm, meshes: readonly string[], arms: readonly Arm[]): number {
  if (arm.role !== 'subject') return 0
  if (arms.every(({ variant }) => variant === undefined)) return meshes.indexOf(arm.mesh)
  const subjects = arms.filter(({ role }) => role === 'subject')
  return [...new Set(subjects.map(({ variant }) => variant))].indexOf(arm.variant)
}

/** CSS that gives every path its colour and its shades, in both themes; colours that are not `#rrggbb` become grey. */
export function pathColours(paths: readonly Path[]): { readonly light: string; readonly dark: string } {
  const rules = (theme: 'light' | 'dark', fallback: string) =>
    paths
      .flatMap(({ colour }, index) => {
        const own = safeColour(colour[theme], fallback)
        return shadeSteps.map((step, shade) => `--path-${index}${shadeName(shade)}:${shaded(own, step)}`)
      })
      .join(';')
  return { light: rules('light', '#666666'), dark: rules('dark', '#a0a0a0') }
}

/** The same as a page's rules, for either theme. */
export function pathStyle(paths: readonly Path[]): string {
  const { light, dark } = pathColours(paths)
  return `:root{${light}}@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${dark}}}:root[data-theme=dark]{${dark}}`
}

/** An estimate's distance from zero: does its interval exclude it? */
export function excludesZero(estimate: Estimate): boolean {
  return estimate.low > 0 || estimate.high < 0
}

/** What its path would encrypt, and the arm does not, or not as the path says. */
const transportWords: Readonly<Record<NonNullable<Arm['transport']>, string>> = {
  plain: 'not encrypted',
  tls: 'one-way TLS',
}

function armLabel(arm: Arm, path: Path, withMesh: boolean, withEnvironment: boolean): string {
  if (arm.role !== 'subject') {
    // Of an environment for each mesh, the mesh is the name: `kind/cilium`.
    const where = withEnvironment ? `${arm.environment.split('/').at(-1) ?? ''} ` : ''
    return where + (arm.role === 'twin' ? 'A/A twin' : path.label)
  }
  const base = withMesh && arm.mesh !== baselineMesh ? `${arm.mesh} ${path.label}` : path.label
  const carried = arm.transport === undefined ? base : `${base}, ${transportWords[arm.transport]}`
  const full = arm.variant === undefined ? carried : `${carried} @${arm.variant}`
  return arm.build === undefined ? full : `${full} (${arm.build})`
}

/** Charts place arms by label, so that two arms must never share one. */
function uniqueLabel(name: string, taken: Set<string>): string {
  const label = name.length > longestLabel ? `${name.slice(0, longestLabel - 1)}…` : name
  let unique = label
  for (let count = 2; taken.has(unique); count++) unique = `${label} #${count}`
  taken.add(unique)
  return unique
}

function collectLoads(cells: readonly CellAnalysis[]): LoadView[] {
  const found = new Map<string, LoadView>()
  for (const { experiment, loadLabel, load } of cells) {
    const id = key(experiment, loadLabel)
    if (!found.has(id)) found.set(id, { experiment, loadLabel, load, text: loadTextOf(loadLabel, load) })
  }
  return [...found.values()].sort(
    (a, b) =>
      Number(a.load.model === 'closed') - Number(b.load.model === 'closed') ||
      (a.load.ratePerSecond ?? 0) - (b.load.ratePerSecond ?? 0),
  )
}

/** With what an experiment calls it, where that says more than the load does: what is done to hops meanwhile. */
function loadTextOf(label: string, load: LoadSpec): string {
  const usual = usualLabel(load)
  return (label.endsWith(`, ${usual}`) ? label.slice(0, -usual.length) : '') + loadText(load)
}

/**
 * The load that the claims speak of, so that the whole page speaks of one; without claims the fastest open-loop load of
 * the latency experiment under which most arms have data, else whatever has data.
 */
function chooseLead(loads: readonly LoadView[], analysis: Analysis): LoadView | undefined {
  const claimed = analysis.claims.find((claim) => claim.id <= 'C3' && claim.figures.length > 0)?.figures[0]
    ?.estimate.cells[0]
  const cell = analysis.cells.find(({ cell: id }) => id === claimed)
  const named = loads.find(isUnder(cell))
  if (named !== undefined) return named
  const answered = (load: LoadView) =>
    analysis.cells.filter(isUnder(load)).filter(({ trials }) => trials.ok > 0).length
  const rank = (load: LoadView) =>
    (load.experiment === 'latency' ? 2 : 0) + (load.load.ratePerSecond === undefined ? 0 : 1)
  return [...loads].sort(
    (a, b) =>
      rank(b) - rank(a) ||
      answered(b) - answered(a) ||
      (b.load.ratePerSecond ?? 0) - (a.load.ratePerSecond ?? 0),
  )[0]
}

function key(...parts: readonly (string | number | undefined)[]): string {
  return parts.join('\u0000')
}

function unknownPath(name: string): Path {
  const colour = { light: '#666666', dark: '#a0a0a0' }
  return { name, label: name, summary: '', colour, hops: [], legs: ['plain'] }
}

function strangerArm(id: string): ArmView {
  const arm: Arm = { id, mesh: baselineMesh, path: id, role: 'subject', environment: '', baseline: id }
  return { id, arm, key: 'ax', label: id, path: unknownPath(id), colour: 'var(--muted)', shape: 'circle' }
}
