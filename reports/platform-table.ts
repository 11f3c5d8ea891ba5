/** Answers "does the platform change the answer?": one table of what each path adds, for runs on several platforms. Pure. */
import type { Analysis, Estimate } from '../harness/model.js'
import { fixed, plusMinus } from './format.js'

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
 * Markdown: a row for each path, first the baseline in absolute figures, then what each path adds, in the order of the
 * first run's added CPU; a column pair for each platform. Intervals are of 95 %.
 */
export function platformTable(runs: readonly Analysis[]): string {
  const [first] = runs
  const [load] = sharedLoads(runs)
  if (!first || load === undefined) return ''
  const columns = runs.map((run) => columnOf(run, load))
  const paths = first.arms.filter(({ role }) => role === 'subject').map(({ path }) => path)
  const byCost = (column: Column) =>
    [...paths].sort((a, b) => (column.cpu.get(a)?.value ?? 0) - (column.cpu.get(b)?.value ?? 0))
  const order = columns[0] ? byCost(columns[0]) : []
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const pair = (p50: Estimate | undefined, cpu: Estimate | undefined) => [text(p50), text(cpu)]
  const names = columns.map(({ platform }) => platform)
  const lines = [
    row(['at ' + load, ...names.flatMap((name) => [`${name}: p50, ms`, `${name}: CPU, ms / 1 000`])]),
    row(['---', ...columns.flatMap(() => ['---', '---'])]),
    row(['`baseline`, absolute', ...columns.flatMap(({ p50, cpu }) => pair(p50.get(''), cpu.get('')))]),
    ...order.map((path) =>
      row([`\`${path}\` adds`, ...columns.flatMap(({ p50, cpu }) => pair(p50.get(path), cpu.get(path)))]),
    ),
    row(['A/A difference', ...columns.flatMap(({ p50, cpu }) => pair(p50.get('twin'), cpu.get('twin')))]),
  ]
  const [base, ...others] = columns
  const overheads = others.map(
    (column) =>
      `- ${column.platform} itself, against ${base?.platform}: ${difference(column.p50.get(''), base?.p50.get(''))} ms at the median of the baseline, ${difference(column.cpu.get(''), base?.cpu.get(''))} ms of CPU per 1 000 requests in the application${platformText(column)}.`,
  )
  const orders = columns.map(
    (column) => `- ${column.platform}, cheapest first: ${byCost(column).join(', ')}.`,
  )
  return [...lines, '', ...overheads, ...orders, ''].join('\n')
}

interface Column {
  readonly platform: string
  /** Path → what it adds; `` is the baseline itself, `twin` the A/A difference. */
  readonly p50: ReadonlyMap<string, Estimate>
  readonly cpu: ReadonlyMap<string, Estimate>
  /** Of the baseline's trials, ms per 1 000 requests. */
  readonly platformCpu: number
}

function columnOf(run: Analysis, load: string): Column {
  const p50 = new Map<string, Estimate>()
  const cpu = new Map<string, Estimate>()
  for (const arm of run.arms.filter(({ role }) => role === 'subject')) {
    for (const { difference: added, metric, percentile, ...which } of run.comparisons) {
      if (which.arm !== arm.id || which.versus !== arm.baseline || which.loadLabel !== load) continue
      if (metric === 'latency.response' && percentile === 50) p50.set(arm.path, added)
      if (metric === 'cpu.per1000Requests') cpu.set(arm.path, added)
    }
  }
  const floor = run.noise.find(({ loadLabel }) => loadLabel === load)
  if (floor) p50.set('twin', floor.latencyP50)
  if (floor?.cpu) cpu.set('twin', floor.cpu)
  const baseline = run.arms.find(({ role }) => role === 'baseline')
  const cell = run.cells.find(({ arm, loadLabel }) => arm === baseline?.id && loadLabel === load)
  if (cell?.response?.['50']) p50.set('', cell.response['50'])
  if (cell?.cpu) cpu.set('', cell.cpu)
  const platformRows = (cell?.bill ?? []).filter(({ category }) => category === 'platform')
  return {
    platform: run.config.platform,
    p50,
    cpu,
    platformCpu: platformRows.reduce((sum, row) => sum + row.cpu.value, 0),
  }
}

/** Labels of the loads of the latency experiment that all runs have. */
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

function platformText({ platformCpu }: Column): string {
  return platformCpu === 0 ? '' : `, and ${fixed(platformCpu, 0)} ms in what runs the components`
}

function difference(a: Estimate | undefined, b: Estimate | undefined): string {
  if (!a || !b) return '–'
  const by = a.value - b.value
  return `${by < 0 ? '−' : '+'}${fixed(Math.abs(by), Math.abs(by) < 10 ? 2 : 0)}`
}
