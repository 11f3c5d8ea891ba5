/** What the loads of an experiment measured along the paths of one mesh, for rules that compare trials of one round. */
import { responseTime } from '../../../scenarios/metrics.js'
import type { Estimate, ReadMetric } from '../../model.js'
import type { Settings } from '../../stats/paired.js'
import { comparePaired, estimateOf, fewestFirm } from '../estimates.js'
import { armOn } from '../increments.js'
import { reaches, readMetric, seriesOf, stepOf, surenessOf, type CellGroup, type Run } from '../readings.js'
import { pairedSeries, samplesOf } from '../trust/pairing.js'
import { byMesh, type Conclusion, type Rule } from './finding.js'

/** A cell of an experiment: the load whose label begins so, along a mesh's path. */
interface Place {
  readonly load: string
  readonly path: string
  /** Absent: the one that is judged. */
  readonly mesh?: string
}

export class Acts {
  readonly mesh: string
  readonly #run: Run
  readonly #groups: readonly CellGroup[]
  readonly #settings: Settings

  constructor(run: Run, groups: readonly CellGroup[], settings: Settings, mesh: string) {
    this.#run = run
    this.#groups = groups
    this.#settings = settings
    this.mesh = mesh
  }

  #cell({ load, path, mesh }: Place) {
    const arm = this.#arm(path, mesh) ?? ''
    const group = this.#groups.find(
      ({ loadLabel, byArm, cells: [first] }) =>
        first !== undefined && loadLabel.startsWith(load) && byArm.has(arm),
    )
    return group?.byArm.get(arm)
  }

  #arm(path: string, mesh = this.mesh): string | undefined {
    return this.#groups.flatMap((group) => armOn(this.#run, group, mesh, path) ?? [])[0]
  }

  /** Of the run's meshes, in their order, the first whose path has hops of this runtime; `native`: of none that is named. */
  meshOn(path: string, runtime: 'jvm' | 'native'): string | undefined {
    const { armOf, components } = this.#run
    const meshes = [...armOf.values()].flatMap((arm) => (arm.role === 'subject' ? [arm.mesh] : []))
    return meshes.find((mesh) => {
      const arm = this.#arm(path, mesh)
      const hops = components.filter((component) => component.hop !== undefined && component.arm === arm)
      return hops.length > 0 && hops.every((hop) => (hop.runtime ?? 'native') === runtime)
    })
  }

  #series(place: Place, metric: ReadMetric, percentile?: number) {
    return seriesOf(this.#run, this.#cell(place)?.id ?? '', (trial) =>
      reaches(trial, percentile) ? readMetric(this.#run, trial, metric, percentile) : undefined,
    )
  }

  /** Of the first to the second, p99 where nothing else is asked, paired by round; undefined without a round that has both. */
  ratio(first: Place, second: Place, of?: ReadMetric): Estimate | undefined {
    return this.sampled(first, second, of)?.ratio
  }

  /** The same with its number of independent samples, which are lives of processes where the metric says so. */
  sampled(first: Place, second: Place, of?: ReadMetric) {
    const [metric, percentile] = of ? [of] : [responseTime, 99]
    const series = [first, second].map((place) => this.#series(place, metric, percentile))
    const { values, n } = samplesOf(metric, pairedSeries(...series), fewestFirm)
    const [treated = [], reference = []] = values
    const cells = [first, second].map((place) => this.#cell(place)?.id ?? '')
    if (treated.length === 0) return undefined
    const step = stepOf(this.#run, cells, metric, percentile)
    const { ratio } = comparePaired(treated, reference, this.#settings, { unit: metric.unit, cells, step })
    return { ratio, samples: n }
  }

  /** `signed` figures may lie below zero. */
  value(place: Place, metric: ReadMetric, kind: 'size' | 'signed' = 'size'): Estimate | undefined {
    const values = [...this.#series(place, metric).values()]
    const cells = [this.#cell(place)?.id ?? '']
    if (values.length === 0) return undefined
    return estimateOf(values, this.#settings, {
      ...{ unit: metric.unit, positive: kind === 'size', cells },
      ...surenessOf(this.#run, cells, metric),
    })
  }

  /** What checks of this name saw, made when the path came up; each once for each time that it did. */
  seen(path: string, check: string): readonly string[] {
    const arm = this.#arm(path) ?? ''
    return this.#run.environments.flatMap(({ proofs }) =>
      (proofs[arm] ?? []).flatMap(({ name, actual }) => (name === check ? [actual] : [])),
    )
  }

  get setting(): string {
    return `On ${this.mesh}`
  }
}

export const byActs = (judge: (acts: Acts) => Conclusion | undefined): Rule =>
  byMesh((...place) => judge(new Acts(...place)))
