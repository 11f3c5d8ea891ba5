/** What is found by name among everything that scenarios declare: metrics, those of single experiments included, and experiments. */
import type { AddedMetric, CellAnalysis, Estimate, Metric, ReadMetric } from '../harness/model.js'
import type { Experiment } from './experiments/experiment.js'
import { experiments, type ExperimentName } from './experiments/index.js'
import { commonMetrics } from './metrics.js'

/** Every metric's id; that of one that no experiment has does not compile in a config. */
export type MetricId =
  (typeof commonMetrics)[number]['id'] | (typeof experiments)[ExperimentName]['metrics'][number]['id']

/** Undefined for an experiment that this version does not have, as an old journal may name one. */
export function experimentNamed(name: string): Experiment | undefined {
  return Object.hasOwn(experiments, name) ? experiments[name as ExperimentName] : undefined
}

/** id → metric; none for one that this version does not have. */
export const metrics: ReadonlyMap<string, Metric> = new Map<string, Metric>(
  [
    ...commonMetrics,
    ...Object.values<Experiment>(experiments).flatMap((experiment) => experiment.metrics),
  ].map((metric) => [metric.id, metric]),
)

export const metricIds = [...metrics.keys()] as MetricId[]

export function isAdded(metric: Metric): metric is AddedMetric {
  return 'addedTo' in metric
}

/** What is read from trials to know a metric. */
export function readBy(metric: Metric): ReadMetric {
  return isAdded(metric) ? metric.addedTo : metric
}

/** A cell's own figure of a metric; undefined when it has none. */
export function figureOf(cell: CellAnalysis, metric: ReadMetric, percentile = 50): Estimate | undefined {
  const kept = metric.ofCell ? metric.ofCell(cell) : cell.figures?.[metric.id]
  if (kept === undefined) return undefined
  return metric.percentiles
    ? (kept as Readonly<Record<string, Estimate>>)[String(percentile)]
    : (kept as Estimate)
}

/** `Response time at p99`; the id where this version does not have the metric. */
export function metricTitle(id: string, percentile?: number): string {
  return `${metrics.get(id)?.title ?? id}${percentile === undefined ? '' : ` at p${percentile}`}`
}
