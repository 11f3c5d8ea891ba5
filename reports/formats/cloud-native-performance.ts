/**
 * Results in the format of Cloud Native Performance, formerly Service Mesh Performance (SMP): a message
 * `PerformanceTestResult` for each cell, as protos/service_mesh_performance.proto of
 * https://github.com/service-mesh-performance/service-mesh-performance describes it, in the JSON mapping of proto3.
 * Times are of all valid trials together; the format has no place for intervals, which stand in `labels`.
 */
import { percentileOfCounts } from '../../harness/protocol/histogram.js'
import type { Analysis, JournalEntry } from '../../harness/model.js'
import { sentence } from './format.js'
import { cellTimes, fileName, highestOf, lowestOf, momentsOf } from './histograms.js'

const version = 'v0.0.1'

export function renderCloudNativePerformance(analysis: Analysis, entries: readonly JournalEntry[]) {
  return cellTimes(entries).flatMap(({ cell: id, counts, total }) => {
    const cell = analysis.cells.find(({ cell }) => cell === id)
    if (cell === undefined || total === 0) return []
    const ms = (percentile: number) => (percentileOfCounts(counts, percentile) ?? 0) / 1000
    const result = {
      smp_version: version,
      id: `${analysis.runId}|${id}`,
      labels: {
        arm: cell.arm,
        experiment: cell.experiment,
        load: cell.loadLabel,
        host: analysis.host.hostKey,
        meshbench: analysis.version,
        ...Object.fromEntries(
          Object.entries(cell.response ?? cell.service ?? {}).map(([percentile, estimate]) => [
            `p${percentile} with 95 % interval`,
            sentence(estimate),
          ]),
        ),
      },
      start_time: analysis.startedAt,
      end_time: analysis.endedAt,
      latencies_ms: {
        min: lowestOf(counts) / 1000,
        average: momentsOf(counts, total).mean / 1000,
        p50: ms(50),
        p90: ms(90),
        p99: ms(99),
        max: highestOf(counts) / 1000,
      },
      actual_QPS: cell.throughput.value,
      testId: analysis.planHash,
      meshConfigId: cell.arm,
      envId: analysis.host.hostKey,
    }
    return [{ name: `${fileName(id)}.cnp.json`, contents: `${JSON.stringify(result, null, 2)}\n` }]
  })
}
