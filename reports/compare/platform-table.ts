/** Answers "does the platform change the answer?": one table of what each path adds, for runs on several platforms. Pure. */
import * as metrics from '../../scenarios/metrics.js'
import type { Analysis, Arm, Estimate } from '../../harness/model.js'
import { fixed, plusMinus } from '../formats/format.js'

/** Why runs cannot stand in one table: they must have measured the same programs on one host, under one load. */
export function tableObjections(runs: readonly Analysis[]): readonly string[] {
  const [first, ...others] = runs
  if (!first || others.length === 0) return ['name at least two runs']
  const objections: string[] = []
  for (const run of others) {
    const pair = `${first.config.platform} and ${run.config.platform}`
    if (run.host.hostKey !== first.host.hostKey) objections.push(`${pair} were measured on different hosts`)
    const differing = Object.keys(first.host.bundles).filter(
      (name) => first.host.bundles[name] !== run.host.bundles[name],
    )
    if (differing.length > 0) objections.push(`${pair} ran different builds of ${differing.join(', ')}`)
    if (!sharedLoads(runs)[0]) objections.push(`${pair} share no load`)
  }
  return [...new Set(objections)]
}

/**
 * Markdown: first the baseline in absolute figures, then what each arm adds, in the order of the first run's added CPU; a
 * column pair for each platform. Where a run has an environment for each mesh, so has each mesh its baseline and its
 * noise floor. Intervals are of 95 %.
 */
export function platformTable(runs: readonly Analysis[]): string {
  const [first] = runs
  const [load] = sharedLoads(runs)
  if (!first || load === undefined) return ''
  const columns = runs.map((run) => columnOf(run, load))
  const subjects = first.arms.filter(({ role }) => role === 'subject')
  const labelOf = labels(subjects)
  const apart = runs.some(({ arms }) => arms.filter(({ role }) => role === 'baseline').length > 1)
  const meshes = [...new Set(subjects.map(({ mesh }) => mesh))].slice(0, apart ? Infinity : 1)
  const of = (mesh: string) => (apart ? ` of \`${mesh}\`` : '')
  const [base, ...others] = columns
  const order = base ? byCost(base, subjects) : []
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const figures = (name: string, pick: (column: Column) => Figures | undefined) =>
    row([name, ...columns.map(pick).flatMap((found) => [text(found?.p50), text(found?.cpu)])])
  const lines = [
    row([
      'at ' + load,
      ...columns.flatMap(({ platform: name }) => [`${name}: p50, ms`, `${name}: CPU, ms / 1 000`]),
    ]),
    row(['---', ...columns.flatMap(() => ['---', '---'])]),
    ...meshes.map((mesh) =>
      figures(`\`baseline\`${of(mesh)}, absolute`, ({ baselines }) => baselines.get(mesh)),
    ),
    ...order.map((arm) => figures(`\`${labelOf(arm)}\` adds`, ({ added }) => added.get(arm.id))),
    ...meshes.map((mesh) => figures(`A/A difference${of(mesh)}`, ({ floors }) => floors.get(mesh))),
  ]
  const overheads = others.flatMap((column) =>
    meshes.map((mesh) => {
      const [own, other] = [column, base].map((platform) => platform?.baselines.get(mesh))
      return `- ${column.platform} itself, against ${base?.platform}: ${difference(own?.p50, other?.p50)} ms at the median of the baseline${of(mesh)}, ${difference(own?.cpu, other?.cpu)} ms of CPU per 1 000 requests in the application${platformText(own?.platformCpu ?? 0)}.`
    }),
  )
  const orders = columns.map((column) => {
    const measured = byCost(column, subjects).filter(({ id }) => column.added.get(id)?.cpu)
    return `- ${column.platform}, cheapest first: ${measured.map(labelOf).join(', ')}.`
  })
  return [...lines, '', ...overheads, ...orders, ''].join('\n')
}

/** The path alone, where it tells arms apart. */
function labels(arms: readonly Arm[]): (arm: Arm) => string {
  const paths = new Set(arms.map(({ path }) => path))
  return paths.size === arms.length ? ({ path }) => path : ({ id }) => id
}

/** What was not measured comes last. */
function byCost({ added }: Column, arms: readonly Arm[]): Arm[] {
  const cost = ({ id }: Arm) => added.get(id)?.cpu?.value ?? Infinity
  return [...arms].sort((a, b) => (cost(a) < cost(b) ? -1 : cost(a) > cost(b) ? 1 : 0))
}

interface Figures {
  readonly p50: Estimate | undefined
  readonly cpu: Estimate | undefined
}

interface Column {
  readonly platform: string
  /** Arm → what it adds. */
  readonly added: ReadonlyMap<string, Figures>
  /** Mesh → its baseline, and what the platform takes meanwhile, in ms of CPU per 1 000 requests. */
  readonly baselines: ReadonlyMap<string, Figures & { readonly platformCpu: number }>
  /** Mesh → the A/A difference in its environment. */
  readonly floors: ReadonlyMap<string, Figures>
}

function columnOf(run: Analysis, load: string): Column {
  const isHere = ({ experiment, loadLabel }: { readonly experiment: string; readonly loadLabel: string }) =>
    experiment === 'latency' && loadLabel === load
  const subjects = run.arms.filter(({ role }) => role === 'subject')
  const comparisons = run.comparisons.filter(isHere)
  const added = subjects.map(({ id, baseline }) => {
    const own = comparisons.filter(({ arm, versus }) => arm === id && versus === baseline)
    const median = own.find(
      ({ metric, percentile }) => metric === metrics.responseTime.id && percentile === 50,
    )
    const cpu = own.find(({ metric }) => metric === metrics.cpu.id)
    return [id, { p50: median?.difference, cpu: cpu?.difference }] as const
  })
  const baselines = subjects.map(({ mesh, baseline }) => {
    const cell = run.cells.find((measured) => measured.arm === baseline && isHere(measured))
    const platformRows = (cell?.bill ?? []).filter(({ category }) => category === 'platform')
    const platformCpu = platformRows.reduce((sum, { cpu }) => sum + cpu.value, 0)
    return [mesh, { p50: cell?.response?.['50'], cpu: cell?.cpu, platformCpu }] as const
  })
  const floors = subjects.map(({ mesh, environment }) => {
    const floor = run.noise.find((measured) => measured.environment === environment && isHere(measured))
    return [mesh, { p50: floor?.latencyP50, cpu: floor?.cpu }] as const
  })
  return {
    platform: run.config.platform,
    added: new Map(added),
    baselines: new Map(baselines),
    floors: new Map(floors),
  }
}

function sharedLoads(runs: readonly Analysis[]): readonly string[] {
  const [first, ...others] = runs.map(
    ({ cells }) =>
      new Set(cells.filter(({ experiment }) => experiment === 'latency').map(({ loadLabel }) => loadLabel)),
  )
  return [...(first ?? [])].filter((label) => others.every((labels) => labels.has(label)))
}

function text(estimate: Estimate | undefined): string {
  return estimate === undefined ? '–' : plusMinus(estimate)
}

function platformText(platformCpu: number): string {
  return platformCpu === 0 ? '' : `, and ${fixed(platformCpu, 0)} ms in what runs the components`
}

function difference(a: Estimate | undefined, b: Estimate | undefined): string {
  if (!a || !b) return '–'
  const by = a.value - b.value
  return `${by < 0 ? '−' : '+'}${fixed(Math.abs(by), Math.abs(by) < 10 ? 2 : 0)}`
}
