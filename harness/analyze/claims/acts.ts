/** What the loads of an experiment measured along the paths of one mesh, for rules that compare trials of one round. */
import { responseTime } from '../../../scenarios/metrics.js'
import type { Estimate, ReadMetric } from '../../model.js'
import type { Settings } from '../../stats/paired.js'
import { comparePaired, estimateOf } from '../estimates.js'
import { armOn } from '../increments.js'
import { pairedSeries, reaches, readMetric, seriesOf, type CellGroup, type Run } from '../readings.js'
import { byMesh, type Conclusion, type Rule } from './finding.js'

/** A cell of an experiment: the load whose label begins so, along a mesh's path. */
interface Place {
  readonly load: string
  readonly path: string
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

  #cell({ load, path }: Place) {
    const group = this.#groups.find(
      ({ loadLabel, byArm, cells: [first] }) =>
        first !== undefined && loadLabel.startsWith(load) && byArm.has(this.#arm(path) ?? ''),
    )
    return group?.byArm.get(this.#arm(path) ?? '')
  }

  #arm(path: string): string | undefined {
    return this.#groups.flatMap((group) => armOn(this.#run, group, this.mesh, path) ?? [])[0]
  }

  #series(place: Place, metric: ReadMetric, percentile?: number) {
    return seriesOf(this.#run, this.#cell(place)?.id ?? '', (trial) =>
      reaches(trial, percentile) ? readMetric(this.#run, trial, metric, percentile) : undefined,
    )
  }

  /** p99 of the first to that of the second, paired by round; undefined without a round that has both. */
  ratio(first: Place, second: Place): Estimate | undefined {
    const series = [first, second].map((place) => this.#series(place, responseTime, 99))
    const [treated = [], reference = []] = pairedSeries(...series).values
    const cells = [first, second].map((place) => this.#cell(place)?.id ?? '')
    if (treated.length === 0) return undefined
    return comparePaired(treated, reference, this.#settings, { unit: 'ms', cells }).ratio
  }

  /** `signed` figures may lie below zero. */
  value(place: Place, metric: ReadMetric, kind: 'size' | 'signed' = 'size'): Estimate | undefined {
    const values = [...this.#series(place, metric).values()]
    const cells = [this.#cell(place)?.id ?? '']
    if (values.length === 0) return undefined
    return estimateOf(values, this.#settings, { unit: metric.unit, positive: kind === 'size', cells })
  }

  /** What checks of this name saw, made when the path came up; each once for each time that it did. */
  seen(path: string, check: string): readonly string[] {
    const arm = this.#arm(path) ?? ''
    return this.#run.environments.flatMap(({ proofs }) =>
      (proofs[arm] ?? []).flatMap(({ name, actual }) => (name === check ? [actual] : [])),
    )
  }

  /** How one starts a sentence on it. */
  get setting(): string {
    return `On ${this.mesh}`
  }
}

export const byActs = (judge: (acts: Acts) => Conclusion | undefined): Rule =>
  byMesh((...place) => judge(new Acts(...place)))
