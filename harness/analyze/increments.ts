/** What each step from one path to the next adds, and whether the parts explain the whole. */
import { cpu as cpuMetric, responseTime } from '../../scenarios/metrics.js'
import type { Estimate, Increment, ReadMetric } from '../model.js'
import type { Settings } from '../stats/paired.js'
import { settingsOf } from '../model/variants.js'
import { comparePaired, estimateOf } from './estimates.js'
import { pairedSeries } from './trust/pairing.js'
import { isSpecial, readMetric, seriesOf, stepOf, type CellGroup, type Run } from './readings.js'

interface Step {
  readonly title: string
  readonly from: string
  readonly to: string
}

const steps: readonly Step[] = [
  { title: 'two tunnels (L4, HBONE between them)', from: 'baseline', to: 'l4-only' },
  { title: 'the waypoint (L7) and a second HBONE leg', from: 'l4-only', to: 'l4-l7-l4' },
  { title: 'one L7 hop, plain', from: 'baseline', to: 'l7-per-node' },
  {
    title: 'a second L7 hop, and mutual TLS between the two',
    from: 'l7-per-node',
    to: 'l7-sidecar-to-sidecar',
  },
  { title: 'services and policy in the kernel, no hop', from: 'baseline', to: 'l4-kernel' },
  { title: 'WireGuard between the nodes', from: 'l4-kernel', to: 'l4-kernel-wireguard' },
]

const captureNote =
  'Node cannot ask for the address that a connection was meant for (SO_ORIGINAL_DST): a rule for each service leads to a port of its own and does that work in the kernel. A hop that asks pays one more system call for each connection.'

/** Residuals: a path's added cost less that of its parts, each measured on a path of its own. */
const residuals: readonly (Step & { readonly parts: readonly string[] })[] = [
  {
    title: 'Residual: what two tunnels and one L7 hop do not explain of L4-L7-L4',
    from: 'l4-only',
    to: 'l4-l7-l4',
    parts: ['l4-only', 'l7-per-node'],
  },
  {
    title: 'Residual: what two single L7 hops do not explain of L7-L7 (its mutual TLS)',
    from: 'l7-per-node',
    to: 'l7-sidecar-to-sidecar',
    parts: ['l7-per-node', 'l7-per-node'],
  },
]

/**
 * Increments of every mesh, at every open-loop load, paired by round. A difference that adds nothing else than its
 * name says has a residual about zero: hops then cost what they cost, wherever they stand.
 */
export function incrementsOf(run: Run, groups: readonly CellGroup[], settings: Settings): Increment[] {
  const open = groups.filter((group) => group.cells[0]?.load.model === 'open' && !isSpecial(group))
  return open.flatMap((group) => {
    const meshes = new Set(group.cells.flatMap(({ arm }) => run.armOf.get(arm)?.mesh ?? []))
    const suffix = open.length > 1 ? `, ${group.loadLabel}` : ''
    const ofPaths = [...meshes].flatMap((mesh) => {
      const armOf = (path: string) => armOn(run, group, mesh, path)
      const build = (
        { title, from, to }: Step,
        ...others: (readonly [path: string, weight: number])[]
      ): Increment[] => {
        const [fromArm, toArm] = [armOf(from), armOf(to)]
        const terms = [[to, 1] as const, ...others].map(
          ([path, weight]) => [armOf(path) ?? '', weight] as const,
        )
        if (fromArm === undefined || toArm === undefined || terms.some(([arm]) => arm === '')) return []
        const sum = (metric: ReadMetric) => combine(run, group, settings, metric, terms)
        const latencyP50 = sum(responseTime)
        const cpu = sum(cpuMetric)
        return latencyP50.n > 0 ? [{ title: `${title}${suffix}`, fromArm, toArm, latencyP50, cpu }] : []
      }
      return [
        ...steps.flatMap((step) => build(step, [step.from, -1])),
        ...residuals.flatMap(({ parts, ...step }) =>
          build(step, ['baseline', parts.length - 1], ...parts.map((part) => [part, -1] as const)),
        ),
      ]
    })
    return [...ofPaths, ...captureSteps(run, group, settings, suffix)]
  })
}

/** Arms that differ from their control in capture: what it costs that the kernel leads traffic to the hops. */
function captureSteps(run: Run, group: CellGroup, settings: Settings, suffix: string): Increment[] {
  const captureOf = (id: string) => {
    const arm = run.armOf.get(id)
    return arm && (settingsOf(run.plan.config, arm).capture as string | undefined)
  }
  return group.cells.flatMap(({ arm: toArm }): Increment[] => {
    const arm = run.armOf.get(toArm)
    const fromArm = arm?.control
    if (!arm || fromArm === undefined || !group.byArm.has(fromArm)) return []
    if (captureOf(toArm) !== 'redirect' || captureOf(fromArm) !== 'none') return []
    const terms = [
      [toArm, 1],
      [fromArm, -1],
    ] as const
    const latencyP50 = combine(run, group, settings, responseTime, terms)
    const cpu = combine(run, group, settings, cpuMetric, terms)
    const title = `capture by rules of the kernel instead of dialling, ${arm.path}${suffix}`
    return latencyP50.n > 0 ? [{ title, fromArm, toArm, latencyP50, cpu, note: captureNote }] : []
  })
}

/**
 * The arm of a mesh, or of a product's meshes, on a path; of several variants their control. The baseline is that of the mesh's own environment.
 */
export function armOn(run: Run, group: CellGroup, mesh: string, path: string): string | undefined {
  const subjects = group.cells
    .flatMap(({ arm }) => run.armOf.get(arm) ?? [])
    .filter((arm) => arm.role === 'subject' && (arm.mesh === mesh || arm.family === mesh))
  if (path === 'baseline') return subjects[0]?.baseline
  return subjects.find((arm) => arm.path === path && arm.control === undefined && arm.transport === undefined)
    ?.id
}

/** Weighted sum of arms' values in each round; of times, of their medians. */
export function combinedValues(
  run: Run,
  group: CellGroup,
  metric: ReadMetric,
  terms: readonly (readonly [string, number])[],
): readonly number[] {
  const { rounds, values } = pairedSeries(
    ...terms.map(([arm]) =>
      seriesOf(run, group.byArm.get(arm)?.id ?? '', (trial) => readMetric(run, trial, metric)),
    ),
  )
  return rounds.map((_, round) =>
    terms.reduce((sum, [, weight], index) => sum + weight * (values[index]?.[round] ?? 0), 0),
  )
}

/**
 * The same as an estimate: what counts for it against what counts off it, as two cells are compared, so that a difference
 * has one interval wherever it stands.
 */
export function combine(
  run: Run,
  group: CellGroup,
  settings: Settings,
  metric: ReadMetric,
  terms: readonly (readonly [string, number])[],
): Estimate {
  const cells = [...new Set(terms.map(([arm]) => group.byArm.get(arm)?.id ?? ''))]
  const weights = terms.reduce((sum, [, weight]) => sum + Math.abs(weight), 0)
  const step = (stepOf(run, cells, metric) * weights) / 2
  const side = (sign: 1 | -1) =>
    combinedValues(
      run,
      group,
      metric,
      terms.map(([arm, weight]) => [arm, Math.max(0, sign * weight)]),
    )
  const options = { unit: metric.unit, cells, step }
  return terms.some(([, weight]) => weight < 0)
    ? comparePaired(side(1), side(-1), settings, options).difference
    : estimateOf(side(1), settings, options)
}
