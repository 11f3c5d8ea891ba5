/** Where claims on the cost of hops are answered: the mesh and the load, and weighted sums of its paths there. */
import type { Estimate, ReadMetric } from '../../model.js'
import { pValueOf } from '../../stats/location.js'
import { locate, type Settings } from '../../stats/paired.js'
import { comparePaired, fewestFirm, type PairedResult } from '../estimates.js'
import { armOn, combine, combinedValues } from '../increments.js'
import { stepOf, type CellGroup, type Run } from '../readings.js'
import { figure } from '../words.js'
import type { Finding, Rule } from './finding.js'

type Context = NonNullable<ReturnType<typeof contextOf>>

const needed = ['l4-l7-l4', 'l7-sidecar-to-sidecar', 'l4-only', 'l7-per-node']

/** Meshes of a group, and products of which it has several. */
function sidesOf(run: Run, { cells }: CellGroup): readonly string[] {
  const arms = cells.flatMap(({ arm }) => run.armOf.get(arm) ?? []).filter(({ role }) => role === 'subject')
  return [...new Set(arms.flatMap(({ mesh, family }) => (family === undefined ? [mesh] : [mesh, family])))]
}

/** Cells of one experiment and load from all the environments that they were measured in, where there are several. */
function acrossEnvironments(groups: readonly CellGroup[]): readonly CellGroup[] {
  const isAlike = (a: CellGroup, b: CellGroup) => a.experiment === b.experiment && a.loadLabel === b.loadLabel
  const firsts = groups.filter((group, index) => groups.findIndex((other) => isAlike(group, other)) === index)
  return firsts.flatMap((first) => {
    const apart = groups.filter((group) => isAlike(group, first))
    if (apart.length === 1) return []
    const environment = apart.map((group) => group.environment).join(', ')
    const cells = apart.flatMap((group) => group.cells)
    return [{ ...first, environment, cells, byArm: new Map(cells.map((cell) => [cell.arm, cell])) }]
  })
}

/**
 * Claims are answered for one mesh, or one product that has the paths in several meshes, at one load: that with the most
 * of the paths that they need, a product before what stands for itself, then the load with the most rounds, then the
 * highest rate.
 */
function contextOf(run: Run, groups: readonly CellGroup[]) {
  const candidates = [...groups, ...acrossEnvironments(groups)]
    .flatMap((group) => {
      return sidesOf(run, group).map((mesh) => {
        const armOf = new Map(
          needed.flatMap((path) => {
            const arm = run.armOf.get(armOn(run, group, mesh, path) ?? '')
            return arm ? [[path, arm] as const] : []
          }),
        )
        const rounds = needed.map((path) => {
          const cell = group.byArm.get(armOf.get(path)?.id ?? '')
          return (cell && run.valid.get(cell.id)?.size) ?? 0
        })
        return {
          group,
          mesh,
          armOf,
          isProduct: [...armOf.values()].some(({ family }) => family === mesh),
          paths: rounds.filter((count) => count > 0).length,
          rounds: Math.min(...rounds.filter((count) => count > 0)),
          rate: group.cells[0]?.load.ratePerSecond ?? 0,
        }
      })
    })
    .filter(({ paths }) => paths > 0)
    .sort(
      (a, b) =>
        b.paths - a.paths ||
        Number(b.isProduct) - Number(a.isProduct) ||
        b.rounds - a.rounds ||
        b.rate - a.rate,
    )
  const [best] = candidates
  return (
    best && {
      group: best.group,
      /** A mesh, or a product whose meshes have a path each. */
      mesh: best.mesh,
      /** By path. */
      armOf: best.armOf,
      /** Of the environments that the arms stand in. */
      baselines: [...new Set([...best.armOf.values()].map(({ baseline }) => baseline))],
      severalMeshes: new Set(candidates.map(({ mesh }) => mesh)).size > 1,
    }
  )
}

type Meter = ReturnType<typeof createMeter>

export type Weights = Readonly<Record<string, number>>

/** Measures weighted sums of paths, paired by round, at the load that claims are answered for. */
function createMeter(run: Run, context: Context, settings: Settings) {
  const { group, baselines } = context
  const armsOf = (path: string): readonly string[] =>
    path === 'baseline' ? baselines : [context.armOf.get(path)?.id ?? '']
  // Each path less the baseline of its own environment, where they stand in several: nothing else is comparable there.
  const weightOf = (weights: Weights, arm: string) => {
    const own = needed.filter((path) => armsOf(path).includes(arm)).map((path) => weights[path] ?? 0)
    if (!baselines.includes(arm)) return own[0] ?? 0
    if (!isApart(context)) return weights.baseline ?? 0
    return -needed
      .filter((path) => context.armOf.get(path)?.baseline === arm)
      .reduce((sum, path) => sum + (weights[path] ?? 0), 0)
  }
  const armsIn = (paths: readonly string[]) => [
    ...new Set([...paths, ...(isApart(context) ? ['baseline'] : [])].flatMap(armsOf)),
  ]
  const termsOf = (weights: Weights, all: readonly string[]) =>
    armsIn(all).map((arm) => [arm, weightOf(weights, arm)] as const)
  const values = (metric: ReadMetric, weights: Weights, all: readonly string[]) =>
    combinedValues(run, group, metric, termsOf(weights, all))
  const cellsOf = (paths: readonly string[]) => armsIn(paths).map((arm) => group.byArm.get(arm)?.id ?? '')
  const pathsOf = (rows: readonly Weights[]) => [...new Set(rows.flatMap((row) => Object.keys(row)))]
  // As `combine` has it, so that a difference has one interval wherever it stands.
  const stepIn = (metric: ReadMetric, rows: readonly Weights[]) => {
    const all = pathsOf(rows)
    const terms = rows.flatMap((row) => termsOf(row, all))
    const weights = terms.reduce((sum, [, weight]) => sum + Math.abs(weight), 0)
    return (stepOf(run, cellsOf(all), metric) * weights) / 2
  }
  return {
    context,
    has: (...paths: readonly string[]) =>
      paths.flatMap(armsOf).every((arm) => (run.valid.get(group.byArm.get(arm)?.id ?? '')?.size ?? 0) > 0),
    estimate: (metric: ReadMetric, weights: Weights): Estimate =>
      combine(run, group, settings, metric, termsOf(weights, Object.keys(weights))),
    /** Over the rounds that have the paths of both. */
    compare(metric: ReadMetric, first: Weights, second: Weights): PairedResult {
      const all = pathsOf([first, second])
      const options = { unit: metric.unit, cells: cellsOf(all), step: stepIn(metric, [first, second]) }
      return comparePaired(values(metric, first, all), values(metric, second, all), settings, options)
    },
    p(metric: ReadMetric, weights: Weights): number {
      const all = values(metric, weights, Object.keys(weights))
      return all.length < fewestFirm ? 1 : pValueOf(locate(all, settings, stepIn(metric, [weights])))
    },
  }
}

export const addedBy = (path: string): Weights => ({ [path]: 1, baseline: -1 })

/** Whether arms stand in several environments: what they add can be compared then, not what they use in all. */
export function isApart({ baselines }: Pick<Context, 'baselines'>): boolean {
  return baselines.length > 1
}

/** Where and at which load, for the start of a sentence. */
export function setting(context: Context): string {
  const { group, mesh, armOf, severalMeshes } = context
  const load = group.cells[0]?.load
  const rate = load?.ratePerSecond === undefined ? group.loadLabel : `${figure(load.ratePerSecond)} req/s`
  const arms = [...armOf.values()].map(({ id }) => id)
  const where = isApart(context) ? `${mesh} (${arms.join(', ')}, each less its own cluster's baseline)` : mesh
  return `${severalMeshes || isApart(context) ? `On ${where}, at` : 'At'} ${rate}`
}

export function scaled(weights: Weights, factor: number): Weights {
  return Object.fromEntries(Object.entries(weights).map(([path, weight]) => [path, weight * factor]))
}

/** What the first takes beyond the second. */
export function less(first: Weights, second: Weights): Weights {
  const paths = [...new Set([...Object.keys(first), ...Object.keys(second)])]
  return Object.fromEntries(paths.map((path) => [path, (first[path] ?? 0) - (second[path] ?? 0)]))
}

/** A rule that judges by sums of paths, at one load of one mesh. */
export function byMeter(judge: (meter: Meter) => Finding | undefined): Rule {
  return (run, groups, settings) => {
    const context = contextOf(run, groups)
    return context && judge(createMeter(run, context, settings))
  }
}
