/** What each trial measured, as plain numbers by cell and round; histograms are decoded once. */
import type {
  Arm,
  Cell,
  Component,
  ComponentUsage,
  Copy,
  JournalEntry,
  Plan,
  ReadMetric,
  RunHeader,
  Timing,
  Trial,
  TrialBill,
  TrialReading,
  Usage,
} from '../model.js'
import { unitNumber } from '../model/plan.js'
import { decodeHistogram, percentileOf, type Buckets } from '../stats/histogram.js'
import { defined } from '../model/defined.js'
import { Series } from './trust/pairing.js'

type Entry<Type extends JournalEntry['type']> = Extract<JournalEntry, { type: Type }>

export interface Run {
  readonly header: RunHeader
  readonly plan: Plan
  readonly trials: readonly Trial[]
  readonly environments: readonly Entry<'environment'>[]
  readonly notes: readonly Entry<'note'>[]
  readonly resumes: readonly Entry<'resume'>[]
  readonly end?: Entry<'end'>
  readonly components: readonly Component[]
  readonly armOf: ReadonlyMap<string, Arm>
  readonly cellOf: ReadonlyMap<string, Cell>
  /** cell → round → the trial that counts: the last one that was ok. */
  readonly valid: ReadonlyMap<string, ReadonlyMap<number, Trial>>
  /** Which coming-up of an environment a trial belongs to, counted over the journal. */
  readonly stayOf: ReadonlyMap<Trial, number>
}

/** Throws when the journal has no header: there is nothing to analyse then. */
export function indexJournal(entries: readonly JournalEntry[]): Run {
  const header = entries.find((entry) => entry.type === 'run')
  if (!header) throw new Error('a journal starts with its run header; this one has none')
  const trials = entries.filter((entry) => entry.type === 'trial')
  const environments = entries.filter((entry) => entry.type === 'environment')
  const end = entries.findLast((entry) => entry.type === 'end')
  const valid = new Map<string, Map<number, Trial>>()
  for (const trial of trials) {
    if (trial.state !== 'ok' || !trial.load || trial.load.sent === 0) continue
    const rounds = valid.get(trial.cell) ?? new Map<number, Trial>()
    valid.set(trial.cell, rounds.set(trial.round, trial))
  }
  // A resumed run brings its environments up again: the last word on a component counts.
  const components = new Map<string, Component>()
  for (const environment of environments)
    for (const component of environment.components) components.set(component.name, component)
  return {
    header,
    plan: header.plan,
    trials,
    environments,
    notes: entries.filter((entry) => entry.type === 'note'),
    resumes: entries.filter((entry) => entry.type === 'resume'),
    ...defined({ end }),
    components: [...components.values()],
    armOf: new Map(header.plan.arms.map((arm) => [arm.id, arm])),
    cellOf: new Map(header.plan.cells.map((cell) => [cell.id, cell])),
    valid,
    stayOf: staysOf(entries),
  }
}

function staysOf(entries: readonly JournalEntry[]): ReadonlyMap<Trial, number> {
  const stays = new Map<Trial, number>()
  let stay = 0
  for (const entry of entries) {
    if (entry.type === 'environment') stay++
    else if (entry.type === 'trial') stays.set(entry, stay)
  }
  return stays
}

const decoded = new WeakMap<object, Buckets>()

/** Buckets of a trial's response or service time; undefined when it has none, or when the record is damaged. */
export function bucketsOf(trial: Trial, kind: Timing | 'sendLag'): Buckets | undefined {
  const histogram = trial.load?.[kind]
  if (!histogram) return undefined
  let buckets = decoded.get(histogram)
  if (!buckets) {
    buckets = decodeHistogram(histogram)
    decoded.set(histogram, buckets)
  }
  return buckets.total > 0 ? buckets : undefined
}

/**
 * Percentile in ms over all requests that were sent. One that failed has no time of its own and is charged the
 * time-out: it waited that long, or was never answered. A percentile among them is the time-out itself.
 */
export function latencyMs(trial: Trial, kind: Timing, percentile: number, timeoutMs = 0): number | undefined {
  const buckets = bucketsOf(trial, kind)
  if (!buckets) return undefined
  const failed = kind === 'response' || kind === 'service' ? failedIn(trial, buckets.total) : 0
  const among = failed === 0 ? percentile : (percentile * (buckets.total + failed)) / buckets.total
  const slowestMs = percentileOf(buckets, Math.min(among, 99.9999)) / 1000
  return among < 100 ? slowestMs : Math.max(slowestMs, timeoutMs)
}

/** Requests of a trial that failed and have no time of their own among so many. */
export function failedIn({ load }: Trial, timed: number): number {
  const { sent = 0, ok = 0 } = load ?? {}
  return Math.max(0, Math.min(sent - ok, sent - timed))
}

/** Mutual TLS handshakes of the arm's hops for each connection of the client; undefined where no hop tells. */
export const handshakesPerConnection = (trial: Trial) => perConnection(trial, trial.tlsHandshakes)

/** Those of them that resumed a session; undefined where no hop tells. */
export const resumptionsPerConnection = (trial: Trial) => perConnection(trial, trial.tlsResumptions)

/** The finest step of both. */
export const stepPerConnection = (trial: Trial) => perConnection(trial, 1)

function perConnection({ load }: Trial, count: number | undefined): number | undefined {
  return count === undefined || !load || load.connectionsOpened === 0
    ? undefined
    : count / load.connectionsOpened
}

/** Of each request a connection of its own is opened, or bytes are what counts, so that usual latency does not apply. */
export function isSpecial(group: { readonly cells: readonly Cell[] }): boolean {
  const engine = group.cells[0]?.load.engine
  return engine === 'connect' || engine === 'stream'
}

/** The host's busy time comes of what it was idle, which is printed in steps of 10 ms and read at both edges. */
export const hostStepNs = 2e7

export function billOf(run: Run, trial: Trial): TrialBill | undefined {
  const { usage } = trial
  const cell = run.cellOf.get(trial.cell)
  if (!usage || !cell) return undefined
  return billWindow(run.components, cell, usage)
}

function billWindow(components: readonly Component[], cell: Cell, usage: Usage): TrialBill {
  const componentOf = new Map(components.map((component) => [component.name, component]))
  const ns: Record<BillGroup, number> = {
    ...{ generator: 0, application: 0, hops: 0, calledServices: 0 },
    ...{ controlPlane: 0, platform: 0, bystanders: 0 },
  }
  const rss: { hops?: number; application?: number } = {}
  const hops: ComponentUsage[] = []
  const applications: ComponentUsage[] = []
  const groupOf = grouping(components, cell)
  const stepNs = { ...ns }
  for (const row of usage.components) {
    const group = groupOf(componentOf.get(row.component), row.category)
    ns[group] += row.cpuNs
    if (group === 'hops') hops.push(row)
    if (group === 'application') applications.push(row)
    stepNs[group] += row.resolutionNs
    if ((group === 'hops' || group === 'application') && row.rssBytes !== undefined)
      rss[group] = (rss[group] ?? 0) + row.rssBytes
  }
  const l7 = hops.filter(({ category }) => category === 'l7')
  const known = Object.values(ns).reduce((sum, value) => sum + value, usage.orchestratorNs)
  return {
    orchestratorNs: usage.orchestratorNs,
    hopsNs: ns.hops,
    bystandersNs: ns.bystanders,
    unaccountedNs: usage.hostBusyNs - known,
    hostBusyNs: usage.hostBusyNs,
    attributedNs: ns.hops + ns.application + ns.controlPlane,
    attributedStepNs: stepNs.hops + stepNs.application + stepNs.controlPlane,
    hopsStepNs: stepNs.hops,
    bystandersStepNs: stepNs.bystanders,
    unaccountedStepNs: Object.values(stepNs).reduce((sum, step) => sum + step, hostStepNs),
    hopsUserNs: split(hops, ns.hops, 'cpuUserNs'),
    hopsSystemNs: split(hops, ns.hops, 'cpuSystemNs'),
    hopsRssBytes: rss.hops,
    hopsPssBytes: sumOf(hops, 'pssBytes'),
    applicationRssBytes: rss.application,
    applicationMemoryBytes: memoryOf(applications),
    l7Ns: l7.reduce((sum, { cpuNs }) => sum + cpuNs, 0),
    l7MemoryBytes: memoryOf(l7),
    l7Hops: l7.length,
  }
}

/** Shared pages divided among those who share them, where all rows tell so; else all of them for each. */
function memoryOf(rows: readonly ComponentUsage[]): number | undefined {
  return rows.length === 0 ? undefined : (sumOf(rows, 'pssBytes') ?? sumOf(rows, 'rssBytes'))
}

/** A sum over all rows; undefined where one does not have it. */
function sumOf(
  rows: readonly ComponentUsage[],
  key: 'cpuUserNs' | 'cpuSystemNs' | 'pssBytes' | 'rssBytes',
): number | undefined {
  return rows.reduce<number | undefined>(
    (sum, { [key]: value }) => (sum === undefined || value === undefined ? undefined : sum + value),
    0,
  )
}

/** A part of what all used: a kernel samples user and system time, of which only the proportion holds. */
function split(
  rows: readonly ComponentUsage[],
  totalNs: number,
  part: 'cpuUserNs' | 'cpuSystemNs',
): number | undefined {
  const [user, system, own] = (['cpuUserNs', 'cpuSystemNs', part] as const).map((key) => sumOf(rows, key))
  if (user === undefined || system === undefined || own === undefined || user + system === 0) return undefined
  return (totalNs * own) / (user + system)
}

/** Of a copy that a cell may use: its place among the cell's workloads. */
function numberOf(which: Copy['which'], cell: Cell): number | undefined {
  if (cell.units) return unitNumber(which)
  return typeof which === 'number' ? which : undefined
}

/** What functions call is in no group that is attributed to the arm: another service does that work. */
export type BillGroup =
  'generator' | 'application' | 'hops' | 'calledServices' | 'controlPlane' | 'platform' | 'bystanders'

/** Which part of the bill of a cell's arm a component belongs to; `components` are all of the run. */
export function grouping(
  components: readonly Component[],
  cell: Cell,
): (component: Component | undefined, category: string) => BillGroup {
  // The application that arms share answers nobody where each unit has one of its own.
  const isSharedIdle = components.some(
    ({ category, copy }) => cell.units && category === 'application' && copy?.of === cell.arm,
  )
  return (component, category) =>
    isSharedIdle && category === 'application' && component?.arm === undefined
      ? 'bystanders'
      : groupOf(component, category, cell)
}

function groupOf(component: Component | undefined, category: string, cell: Cell): BillGroup {
  if (category === 'generator') return 'generator'
  const { arm, copy } = component ?? {}
  const number = copy?.of === cell.arm ? numberOf(copy.which, cell) : undefined
  const isWorkloads = number !== undefined && number <= (cell.load.workloads ?? 1)
  // Units stand for the arm's own hops, which carry nothing then.
  const isOwn = arm === cell.arm && !cell.units
  if (arm !== undefined && !isOwn && !isWorkloads) return 'bystanders'
  if (category === 'application' || category === 'platform') return category
  if (category === 'called-service') return 'calledServices'
  return category === 'control-plane' ? 'controlPlane' : 'hops'
}

/** A metric of one trial, in its unit; undefined when the trial cannot tell. */
export function readMetric(run: Run, trial: Trial, metric: ReadMetric, percentile = 50): number | undefined {
  return metric.read(readingOf(run, trial), percentile)
}

function readingOf(run: Run, trial: Trial): TrialReading {
  return {
    trial,
    percentileMs: (kind, at) => latencyMs(trial, kind, at, run.cellOf.get(trial.cell)?.load.timeoutMs),
    get bill() {
      return billOf(run, trial)
    },
  }
}

/** The coarsest step that a metric takes in the valid trials of these cells, in its unit; 0 of none. */
export function stepOf(run: Run, cells: readonly string[], metric: ReadMetric, percentile = 50): number {
  return coarsestOf(run, cells, (trial) => metric.resolution(readingOf(run, trial), percentile))
}

/** The coarsest of the steps that something read of these cells' valid trials takes. */
export function coarsestOf(
  run: Run,
  cells: readonly string[],
  stepIn: (trial: Trial) => number | undefined,
): number {
  let step = 0
  for (const cell of cells)
    for (const trial of run.valid.get(cell)?.values() ?? []) step = Math.max(step, stepIn(trial) || 0)
  return step
}

/** How sure a metric's values of these cells are in themselves: to a step where they are read, by their number where counted. */
export function surenessOf(
  run: Run,
  cells: readonly string[],
  metric: ReadMetric,
  percentile?: number,
): { readonly step: number } | { readonly things: number } {
  if (!metric.counts) return { step: stepOf(run, cells, metric, percentile) }
  const trials = cells.flatMap((cell) => [...(run.valid.get(cell)?.values() ?? [])])
  return { things: trials.reduce((sum, trial) => sum + (metric.counts?.(readingOf(run, trial)) ?? 0), 0) }
}

/** At least one request of the trial lies beyond the percentile; 99.9 is no exact binary number: 1 000 requests do reach it. */
export function reaches(trial: Trial, percentile: number | undefined): boolean {
  return percentile === undefined || (trial.load?.sent ?? 0) * (1 - percentile / 100) > 0.999
}

/** round → value, of a cell's valid trials. */
export function seriesOf(run: Run, cell: string, value: (trial: Trial) => number | undefined): Series {
  const series = new Series(run.armOf.get(run.cellOf.get(cell)?.arm ?? '')?.environment)
  const rounds = [...(run.valid.get(cell) ?? [])].sort(([a], [b]) => a - b)
  for (const [round, trial] of rounds) {
    const measured = value(trial)
    if (measured !== undefined && Number.isFinite(measured))
      series.add(round, measured, run.stayOf.get(trial) ?? 0)
  }
  return series
}

/** Cells that are compared with each other: one experiment, one load, one environment. */
export interface CellGroup {
  readonly experiment: string
  readonly loadLabel: string
  readonly environment: string
  readonly cells: readonly Cell[]
  readonly byArm: ReadonlyMap<string, Cell>
}

export function cellGroups(run: Run): readonly CellGroup[] {
  const groups = new Map<string, Cell[]>()
  for (const cell of run.plan.cells) {
    const environment = run.armOf.get(cell.arm)?.environment ?? ''
    const key = JSON.stringify([cell.experiment, cell.loadLabel, environment])
    groups.set(key, [...(groups.get(key) ?? []), cell])
  }
  return [...groups].map(([key, cells]) => {
    const [experiment = '', loadLabel = '', environment = ''] = JSON.parse(key) as string[]
    return {
      experiment,
      loadLabel,
      environment,
      cells,
      byArm: new Map(cells.map((cell) => [cell.arm, cell])),
    }
  })
}
