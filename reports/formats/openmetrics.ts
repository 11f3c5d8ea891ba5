/** OpenMetrics text, so that results can be pushed to a Prometheus-compatible store and watched over months. */
import { figureOf, isAdded, metrics } from '../../scenarios/registry.js'
import { whyNoInterval } from '../../harness/analyze/words.js'
import type { Analysis, Estimate } from '../../harness/model.js'
import { defined } from '../../harness/model/defined.js'
import { cleanDeep } from '../page/clean.js'

interface Family {
  readonly name: string
  readonly unit: string
  readonly help: string
  readonly samples: string[]
}

type Labels = Readonly<Record<string, string | number | undefined>>

/** Every estimate becomes three samples: `bound="value"`, `"low"` and `"high"` (one, where one side alone is known). Units are base units. */
export function renderOpenMetrics(analysis: Analysis): string {
  const clean = cleanDeep(analysis)
  const families = new Map<string, Family>()
  const family = (name: string, unit: string, help: string): Family => {
    const found = families.get(name) ?? { name, unit, help, samples: [] }
    families.set(name, found)
    return found
  }
  const add = (to: Family, labels: Labels, estimate: Estimate | undefined, factor: number) => {
    if (estimate === undefined || estimate.n === 0) return
    for (const bound of whyNoInterval(estimate) === 'one round' ? (['value'] as const) : boundsOf(estimate)) {
      const figure = estimate[bound] * factor
      if (Number.isFinite(figure)) to.samples.push(`${to.name}${labelText({ ...labels, bound })} ${figure}`)
    }
  }
  const exported = [...metrics.values()].flatMap((metric) => {
    if (isAdded(metric) || !metric.openMetrics) return []
    const { name, unit = '', help, factor } = metric.openMetrics
    return [{ metric, to: family(name, unit, help), factor }]
  })
  const trials = family('meshbench_trials', '', 'Trials by state.')
  for (const cell of clean.cells) {
    const { experiment, arm, loadLabel: load } = cell
    const labels = { run: clean.runId, host: clean.host.hostKey, experiment, arm, load }
    for (const { metric, to, factor } of exported)
      for (const percentile of metric.percentiles ?? [undefined])
        add(to, { ...labels, percentile }, figureOf(cell, metric, percentile), factor)
    for (const state of ['ok', 'invalid', 'failed'] as const) {
      trials.samples.push(`${trials.name}${labelText({ ...labels, state })} ${cell.trials[state]}`)
    }
  }
  const ratios = family('meshbench_comparison_ratio', '', 'Ratio of an arm to another, paired within rounds.')
  for (const comparison of clean.comparisons) {
    const { experiment, loadLabel: load, arm, versus, metric, percentile, verdict, ratio } = comparison
    add(ratios, { run: clean.runId, experiment, load, arm, versus, metric, percentile, verdict }, ratio, 1)
  }
  const passed = family(
    'meshbench_threshold_passed',
    '',
    '1 when a threshold holds, 0 when it does not or is undecided.',
  )
  for (const { threshold, state, experiment = threshold.experiment, loadLabel: load } of clean.thresholds) {
    const { metric, percentile, arm, relativeTo, min, max } = threshold
    const labels = {
      run: clean.runId,
      experiment,
      load,
      metric,
      percentile,
      arm,
      relative_to: relativeTo,
      min,
      max,
      state,
    }
    const sample = `${passed.name}${labelText(labels)} ${state === 'pass' ? 1 : 0}`
    // The same threshold twice is one series: no label set may come again.
    if (!passed.samples.includes(sample)) passed.samples.push(sample)
  }
  const text = [...families.values()]
    .filter(({ samples }) => samples.length > 0)
    .flatMap(({ name, unit, help, samples }) => [
      `# TYPE ${name} gauge`,
      ...(unit === '' ? [] : [`# UNIT ${name} ${unit}`]),
      `# HELP ${name} ${help}`,
      ...samples,
    ])
  return [...text, '# EOF', ''].join('\n')
}

/** Where one side alone is known, the other two would be made up. */
function boundsOf({ beyond }: Estimate): readonly ('value' | 'low' | 'high')[] {
  return beyond === undefined ? ['value', 'low', 'high'] : [beyond === 'above' ? 'low' : 'high']
}

function labelText(labels: Labels): string {
  const escape = (text: string) => text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')
  const parts = Object.entries(defined(labels)).map(([name, value]) => `${name}="${escape(String(value))}"`)
  return `{${parts.join(',')}}`
}
