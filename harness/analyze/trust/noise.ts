/** The A/A comparison: the baseline measured twice, which must not differ from itself. */
import { cpu as cpuMetric, responseTime, serviceTime } from '../../../scenarios/metrics.js'
import { defined } from '../../model/defined.js'
import type { NoiseFloor, ReadMetric } from '../../model.js'
import { holm } from '../../stats/families.js'
import type { Settings } from '../../stats/paired.js'
import { alpha, comparePaired, fewestFirm, type PairedResult } from '../estimates.js'
import { pairedSeries } from './pairing.js'
import { readMetric, seriesOf, stepOf, type CellGroup, type Run } from '../readings.js'

/** One for each load that has both; the tests of all loads are one family, as one false alarm spoils a run. */
export function noiseFloors(run: Run, groups: readonly CellGroup[], settings: Settings): NoiseFloor[] {
  const floors = groups.flatMap((group) => floorOf(run, group, settings) ?? [])
  const adjusted = holm(floors.flatMap(({ pValues }) => pValues))
  return floors.map(({ floor, pValues }) => ({
    ...floor,
    differs: adjusted.splice(0, pValues.length).some((pValue) => pValue < alpha),
  }))
}

function floorOf(run: Run, group: CellGroup, settings: Settings) {
  const twin = group.cells.find(({ arm }) => run.armOf.get(arm)?.role === 'twin')
  const baseline = twin && group.byArm.get(run.armOf.get(twin.arm)?.baseline ?? '')
  if (!twin || !baseline) return undefined
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
  if (!p50 || !p99) return undefined
  const results = [p50, p99, ...(cpu ? [cpu] : [])]
  const visible = (result: PairedResult) => result.detectable(alpha / results.length)
  const isFirm = p50.difference.n >= fewestFirm
  return {
    floor: {
      environment: group.environment,
      loadLabel: group.loadLabel,
      experiment: group.experiment,
      latencyP50: p50.difference,
      latencyP99: p99.difference,
      ...defined({ cpu: cpu?.difference }),
      // Fewer rounds see nothing at all.
      ...(isFirm
        ? {
            visible: {
              latencyP50: visible(p50),
              latencyP99: visible(p99),
              ...defined({ cpu: cpu && visible(cpu) }),
            },
          }
        : {}),
    },
    /** Of the tests that have rounds enough to say anything. */
    pValues: results.filter(({ difference }) => difference.n >= fewestFirm).map(({ pValue }) => pValue),
  }
}
