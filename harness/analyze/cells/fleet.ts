/**
 * What a run's figures come to for a fleet: CPU grows with its requests, memory with how many hops its paths need.
 *
 * The control plane is no part of it, since the baseline has it, too; nor is what hops hold of a configuration that grows
 * with the fleet, or spend while nobody asks for anything: one service does not show it.
 */
import { cpu, mib, pageMib } from '../../../scenarios/metrics.js'
import type { Cell, ComponentUsage, Estimate, Fleet, FleetBill, JournalEntry } from '../../model.js'
import type { Path, ReadMetric, Trial } from '../../model.js'
import { mean, median } from '../../protocol/averages.js'
import { holm } from '../../stats/families.js'
import type { Settings } from '../../stats/paired.js'
import { alpha, comparePaired, estimateOf, fewestFirm } from '../estimates.js'
import { grouping, isSpecial, readMetric, seriesOf, stepOf, type CellGroup, type Run } from '../readings.js'
import { pairedSeries, samplesOf, type Series } from '../trust/pairing.js'

const hoursPerMonth = 730

/** Of the fleet's rate. Memory is paid for at any, so that at another rate another path may cost the least. */
const factors = [1, 0.1, 10]

/** By about this share the memory of a process differs from that of its like: what rounds of a single one cannot show. */
const processSpread = 0.1

/** The journal of the same run with another fleet in its config. */
export const withFleet = (entries: readonly JournalEntry[], fleet: Fleet): readonly JournalEntry[] =>
  entries.map((entry) => {
    if (entry.type !== 'run') return entry
    const { config } = entry.plan
    return { ...entry, plan: { ...entry.plan, config: { ...config, cost: { ...config.cost, fleet } } } }
  })

/** Bills under every load that comes at a rate while nothing is done to hops; undefined where the config has no fleet. */
export function fleetBills(
  run: Run,
  groups: readonly CellGroup[],
  settings: Settings,
): readonly FleetBill[] | undefined {
  if (!run.plan.config.cost.fleet) return undefined
  const loads = new Map<string, CellGroup[]>()
  for (const group of groups.filter((other) => !isSpecial(other) && other.cells.every(isUsual))) {
    const load = JSON.stringify([group.experiment, group.loadLabel])
    loads.set(load, [...(loads.get(load) ?? []), group])
  }
  return [...loads.values()].flatMap((ofLoad) => {
    const billed = ofLoad.flatMap((group) => group.cells.flatMap((cell) => billedCell(run, group, cell)))
    const [withL7, without] = [true, false].map((does) => billed.filter(({ doesL7 }) => doesL7 === does))
    // What parses requests does more than what carries bytes: each is set against those that do the same.
    return [withL7, without].flatMap((alike = []) => billsOf(run, alike, settings))
  })
}

const isUsual = ({ load, script, units }: Cell) =>
  load.model === 'open' && !script && !units && (load.workloads ?? 1) === 1

/** A quantity in each round, with the step that its values take. */
interface Rounds {
  readonly series: Series
  readonly step: number
  readonly unit: Estimate['unit']
  /** A process lives through many rounds, which are then no samples of what a process takes. */
  readonly sample: ReadMetric['sample']
  readonly cells: readonly string[]
}

interface Billed {
  readonly cell: Cell
  readonly doesL7: boolean
  readonly hops: readonly { readonly per: Per; readonly count: number; readonly memory: Rounds }[]
  readonly cores: Rounds
  /** Of all hops. */
  readonly memory: Rounds
  readonly memoryPerMonth: Rounds
  readonly perMonth: readonly { readonly requestsPerSecond: number; readonly cost: Rounds }[]
}

function billedCell(run: Run, group: CellGroup, cell: Cell): readonly Billed[] {
  const arm = run.armOf.get(cell.arm)
  const path = run.plan.paths.find(({ name }) => name === arm?.path)
  const baseline = group.byArm.get(arm?.baseline ?? '')
  const { fleet, perVcpuHour, perGibHour } = run.plan.config.cost
  if (arm?.role !== 'subject' || !path || !baseline || !fleet) return []
  const cores = coresOf(run, cell, baseline, fleet.requestsPerSecond)
  if (cores.series.size === 0) return []
  const { cells } = cores
  const inMemory = (series: Series, step: number): Rounds => ({
    ...{ series, step, unit: 'MiB', sample: 'process', cells: [cell.id] },
  })
  const hops = kindsOf(run, cell, path).map((kind) => ({
    per: kind.per,
    count: fleet[countOf[kind.per]],
    memory: inMemory(
      seriesOf(run, cell.id, (trial) => meanMib(hopRows(run, cell, path, trial).filter(isOf(kind)))),
      pageMib,
    ),
  }))
  const memory = inMemory(
    cores.series.map((round) =>
      hops.reduce((sum, hop) => sum + hop.count * (hop.memory.series.get(round) ?? Number.NaN), 0),
    ),
    hops.reduce((sum, { count }) => sum + count * pageMib, 0),
  )
  const money = (factor: number): Rounds => {
    const of = (vcpus: number, memoryMib: number) =>
      hoursPerMonth * (factor * vcpus * perVcpuHour + (memoryMib / 1024) * perGibHour)
    return {
      series: memory.series.map((round, held) => of(cores.series.get(round) ?? Number.NaN, held)),
      step: of(cores.step, memory.step),
      ...{ unit: 'currency', sample: 'process', cells },
    }
  }
  const perMonth = factors.map((factor) => ({
    requestsPerSecond: fleet.requestsPerSecond * factor,
    cost: money(factor),
  }))
  const doesL7 = path.hops.some(({ layer }) => layer === 'l7')
  return [{ cell, doesL7, hops, cores, memory, memoryPerMonth: money(0), perMonth }]
}

/** What the path adds to its baseline. */
function coresOf(run: Run, cell: Cell, baseline: Cell, requestsPerSecond: number): Rounds {
  const cells = [cell.id, baseline.id]
  const [own, base] = cells.map((id) => seriesOf(run, id, (trial) => readMetric(run, trial, cpu)))
  // ms per 1 000 requests are µs of CPU a request.
  const coresFrom = (us: number) => (us * requestsPerSecond) / 1e6
  const series = (own as Series).map((round, us) =>
    base?.has(round) && own?.isBeside(base, round) ? coresFrom(us - (base.get(round) as number)) : Number.NaN,
  )
  return { series, step: coresFrom(2 * stepOf(run, cells, cpu)), unit: 'vCPU', sample: 'round', cells }
}

/** What of a fleet there is one of a path's hops for: a sidecar for each pod, a tunnel for each node. */
type Per = FleetBill['hops'][number]['per']
const countOf = { pod: 'pods', node: 'nodes', waypoint: 'waypoints' } as const

interface HopKind {
  readonly per: Per
  readonly layer: string
}
const isOf = (kind: HopKind) => (other: HopKind) => other.per === kind.per && other.layer === kind.layer

/** Of the path's own hops, and of programs that hold memory where the path has none. */
function kindsOf(run: Run, cell: Cell, path: Path): readonly HopKind[] {
  const own = path.hops.map(({ role, layer }) => ({ per: perOf(role), layer }))
  const trials = [...(run.valid.get(cell.id)?.values() ?? [])]
  const found = trials
    .flatMap((trial) => hopRows(run, cell, path, trial))
    .filter(({ usage }) => bytesOf(usage) !== undefined)
  const all: readonly HopKind[] = [...own, ...found]
  return all.filter((kind, index) => all.findIndex(isOf(kind)) === index)
}

function perOf(role: Path['hops'][number]['role'] | undefined): Per {
  if (role?.startsWith('sidecar')) return 'pod'
  return role === 'waypoint' || role === 'ingress' ? 'waypoint' : 'node'
}

/**
 * What a trial read of the hops that its arm needs. Programs that no path has as a hop are on every node: those that all
 * arms of a node share, and those that do the work where a path has no hop.
 */
function hopRows(run: Run, cell: Cell, path: Path, { usage }: Trial) {
  const groupOf = grouping(run.components, cell)
  return (usage?.components ?? []).flatMap((row) => {
    const component = run.components.find(({ name }) => name === row.component)
    const hop = path.hops.find(({ name }) => name === component?.hop)
    const isThere = hop !== undefined || component?.process !== undefined || path.hops.length === 0
    if (!isThere || groupOf(component, row.category) !== 'hops') return []
    const isOnPath = hop !== undefined
    return [{ per: perOf(hop?.role), layer: hop?.layer ?? row.category, isOnPath, usage: row }]
  })
}

/** Of those that carry something, where any does; undefined unless it is known of all of them. */
function meanMib(
  rows: readonly { readonly isOnPath: boolean; readonly usage: ComponentUsage }[],
): number | undefined {
  const onPath = rows.filter(({ isOnPath }) => isOnPath)
  const counted = onPath.length > 0 ? onPath : rows
  const known = counted.flatMap(({ usage }) => bytesOf(usage) ?? [])
  return known.length === 0 || known.length < counted.length ? undefined : mean(known) / mib
}

/** Shared pages are divided among those who share them, where the kernel tells. */
const bytesOf = ({ pssBytes, rssBytes }: ComponentUsage) => pssBytes ?? rssBytes

/** Bills of paths that do the same, each but the least set against the least. */
function billsOf(run: Run, billed: readonly Billed[], settings: Settings): readonly FleetBill[] {
  const least = billed
    .filter(({ memory }) => memory.series.size > 0)
    .sort((a, b) => middleOf(ownCost(a)) - middleOf(ownCost(b)))[0]
  const compared = billed.flatMap((bill) =>
    least && bill !== least ? (compareCosts(bill, least, settings) ?? []) : [],
  )
  const pValues = holm(compared.map(({ pValue }) => pValue))
  const versus = new Map(
    compared.map(({ bill, ratio, isFirm }, index) => {
      const verdict = isFirm && (pValues[index] as number) < alpha ? 'worse' : 'inconclusive'
      return [bill, { arm: least?.cell.arm ?? '', ratio, verdict } as const]
    }),
  )
  return billed.map((bill) => billFrom(bill, versus.get(bill), settings))
}

const ownCost = ({ perMonth: [first] }: Billed) => (first as Billed['perMonth'][number]).cost
const middleOf = ({ series }: Rounds) => median([...series.values()])

/** Undefined where they have no round in common. */
function compareCosts(bill: Billed, least: Billed, settings: Settings) {
  const [own, other] = [ownCost(bill), ownCost(least)]
  const paired = pairedSeries(own.series, other.series)
  if (paired.rounds.length === 0) return undefined
  const { values, n: lives } = samplesOf(own, paired, fewestFirm)
  const [treated = [], reference = []] = values
  const { ratio, difference, pValue } = comparePaired(treated, reference, settings, {
    unit: 'currency',
    cells: [...own.cells, ...other.cells],
    step: own.step + other.step,
  })
  const spread = processSpread * (middleOf(bill.memoryPerMonth) + middleOf(least.memoryPerMonth))
  const isFirm = lives >= fewestFirm || difference.low > spread
  return { bill, ratio, isFirm, pValue: paired.rounds.length < fewestFirm ? 1 : pValue }
}

function billFrom(billed: Billed, versus: FleetBill['versus'], settings: Settings): FleetBill {
  const { cell, doesL7, hops, cores, memory, memoryPerMonth, perMonth } = billed
  const estimate = (rounds: Rounds) => {
    const [values = []] = samplesOf(rounds, pairedSeries(rounds.series), fewestFirm).values
    return estimateOf(values, settings, rounds)
  }
  return {
    experiment: cell.experiment,
    loadLabel: cell.loadLabel,
    arm: cell.arm,
    doesL7,
    hops: hops
      .filter(({ memory: { series } }) => series.size > 0)
      .map((hop) => ({ ...hop, memory: estimate(hop.memory) })),
    cores: estimate(cores),
    ...(memory.series.size > 0
      ? {
          memory: estimate(memory),
          memoryPerMonth: estimate(memoryPerMonth),
          perMonth: perMonth.map((at) => ({ ...at, cost: estimate(at.cost) })),
        }
      : { perMonth: [] }),
    ...(versus ? { versus } : {}),
  }
}
