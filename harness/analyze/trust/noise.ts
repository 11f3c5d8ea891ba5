/** The A/A comparison: the baseline measured twice, which must not differ from itself. */
import { cpu as cpuMetric, responseTime, serviceTime } from '../../../scenarios/metrics.js'
import { defined } from '../../model/defined.js'
import type { NoiseFloor, ReadMetric } from '../../model.js'
import { holm } from '../../stats/families.js'
import type { Settings } from '../../stats/paired.js'
import { alpha, comparePaired, fewestFirm, type PairedResult } from '../estimates.js'
import { pairedSeries, readMetric, seriesOf, stepOf, type CellGroup, type Run } from '../readings.js'

export function noiseFloors(run: Run, groups: readonly CellGroup[], settings: Settings): NoiseFloor[] {
  return groups.flatMap((group): NoiseFloor[] => {
    const twin = group.cells.find(({ arm }) => run.armOf.get(arm)?.role === 'twin')
    const baseline = twin && group.byArm.get(run.armOf.get(twin.arm)?.baseline ?? '')
    if (!twin || !baseline) return []
    const compare = (metric: ReadMetric, percentile?: number): PairedResult | undefined => {
      const { rounds, values } = pairedSeries(
        ...[twin, baseline].map(({ id }) =>
          seriesOf(run, id, (trial) => readMetric(run, trial, metric, percentile)),
        ),
      )
      const [first = [], second = []] = values
      if (rounds.length === 0) return undefined
      return comparePaired(first, second, settings, {
        unit: metric.unit,
        cells: [twin.id, baseline.id],
        step: stepOf(run, [twin.id, baseline.id], metric, percentile),
      })
    }
    // Closed loop knows no due time: service time is all there is.
    const kind = twin.load.model === 'open' ? responseTime : serviceTime
    const p50 = compare(kind, 50) ?? compare(serviceTime, 50)
    const p99 = compare(kind, 99) ?? compare(serviceTime, 99)
    const cpu = compare(cpuMetric)
    if (!p50 || !p99) return []
    const results = [p50, p99, ...(cpu ? [cpu] : [])]
    const visible = (result: PairedResult) => result.detectable(alpha / results.length)
    const pValues = holm(results.map(({ difference, pValue }) => (difference.n < fewestFirm ? 1 : pValue)))
    return [
      {
        environment: group.environment,
        loadLabel: group.loadLabel,
        experiment: group.experiment,
        latencyP50: p50.difference,
        latencyP99: p99.difference,
        ...defined({ cpu: cpu?.difference }),
        // Fewer rounds see nothing at all.
        ...(p50.difference.n < fewestFirm
          ? {}
          : {
              visible: {
                latencyP50: visible(p50),
                latencyP99: visible(p99),
                ...defined({ cpu: cpu && visible(cpu) }),
              },
            }),
        differs: pValues.some((pValue) => pValue < alpha),
      },
    ]
  })
}
