/** The A/A comparison: the baseline measured twice, which must not differ from itself. */
import { cpu as cpuMetric, responseTime } from '../../../scenarios/metrics.js'
import { defined } from '../../model/defined.js'
import type { NoiseFloor, ReadMetric } from '../../model.js'
import { holm } from '../../stats/families.js'
import type { Settings } from '../../stats/paired.js'
import { knownOf, measure } from '../comparisons.js'
import { alpha, fewestFirm, type PairedResult } from '../estimates.js'
import type { CellGroup, Run } from '../readings.js'

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
  const compare = (asked: ReadMetric, percentile?: number): PairedResult | undefined => {
    const [arm, versus, metric] = [twin.arm, baseline.arm, knownOf(run, twin.id, asked)]
    const spec = { group, metric, arm, versus, family: 'A/A', ...defined({ percentile }) }
    return measure(run, [spec], settings)[0]?.result
  }
  const [p50, p99, cpu] = [compare(responseTime, 50), compare(responseTime, 99), compare(cpuMetric)]
  if (!p50) return undefined
  const results = [p50, p99, cpu].filter((result) => result !== undefined)
  const visible = (result: PairedResult | undefined) => result?.detectable(alpha / results.length)
  const isFirm = p50.difference.n >= fewestFirm
  return {
    floor: {
      environment: group.environment,
      loadLabel: group.loadLabel,
      experiment: group.experiment,
      latencyP50: p50.difference,
      ...defined({ latencyP99: p99?.difference, cpu: cpu?.difference }),
      // Fewer rounds see nothing at all.
      ...(isFirm
        ? {
            visible: {
              latencyP50: visible(p50) ?? 0,
              ...defined({ latencyP99: visible(p99), cpu: visible(cpu) }),
            },
          }
        : {}),
    },
    /** Of the tests that have rounds enough to say anything. */
    pValues: results.filter(({ difference }) => difference.n >= fewestFirm).map(({ pValue }) => pValue),
  }
}
