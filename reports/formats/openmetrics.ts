/** OpenMetrics text, so that results can be pushed to a Prometheus-compatible store and watched over months. */
import type { Analysis, Estimate } from '../../harness/model.js'
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
    for (const bound of boundsOf(estimate)) {
      const figure = estimate[bound] * factor
      if (Number.isFinite(figure)) to.samples.push(`${to.name}${labelText({ ...labels, bound })} ${figure}`)
    }
  }
  const latency = family('meshbench_response_seconds', 'seconds', 'Response time from due, by percentile.')
  const cpu = family(
    'meshbench_cpu_seconds_per_request',
    '',
    'CPU seconds per request without the generator.',
  )
  const memory = family('meshbench_hop_memory_bytes', 'bytes', 'Resident memory of the hops.')
  const throughput = family('meshbench_throughput_requests_per_second', '', 'Requests answered per second.')
  const connect = family(
    'meshbench_connect_seconds',
    'seconds',
    'Time until a new connection stood, by percentile.',
  )
  const firstByte = family(
    'meshbench_first_byte_seconds',
    'seconds',
    'Time from when a new connection was begun to the first byte of its reply, by percentile.',
  )
  const bits = family('meshbench_stream_bits_per_second', '', 'Payload of long transfers.')
  const perByte = family('meshbench_stream_cpu_seconds_per_byte', '', 'CPU seconds per byte of payload.')
  const trials = family('meshbench_trials', '', 'Trials by state.')
  for (const cell of clean.cells) {
    const labels = {
      run: clean.runId,
      host: clean.host.hostKey,
      experiment: cell.experiment,
      arm: cell.arm,
      load: cell.loadLabel,
    }
    for (const [percentile, estimate] of Object.entries(cell.response ?? {}))
      add(latency, { ...labels, percentile }, estimate, 1e-3)
    // CPU ms per 1 000 requests are CPU µs per request.
    add(cpu, labels, cell.cpu, 1e-6)
    add(memory, labels, cell.hopMemory, 1024 * 1024)
    for (const [percentile, estimate] of Object.entries(cell.connect?.time ?? {}))
      add(connect, { ...labels, percentile }, estimate, 1e-3)
    for (const [percentile, estimate] of Object.entries(cell.connect?.firstByte ?? {}))
      add(firstByte, { ...labels, percentile }, estimate, 1e-3)
    add(bits, labels, cell.stream?.throughput, 1e9)
    add(perByte, labels, cell.stream?.cpuPerGib, 1 / 1024 ** 3)
    add(throughput, labels, cell.throughput, 1)
    for (const state of ['ok', 'invalid', 'failed'] as const) {
      trials.samples.push(`${trials.name}${labelText({ ...labels, state })} ${cell.trials[state]}`)
    }
  }
  const ratios = family('meshbench_comparison_ratio', '', 'Ratio of an arm to another, paired within rounds.')
  for (const one of clean.comparisons) {
    const { experiment, arm, versus, metric, percentile, verdict } = one
    add(
      ratios,
      { run: clean.runId, experiment, load: one.loadLabel, arm, versus, metric, percentile, verdict },
      one.ratio,
      1,
    )
  }
  const passed = family(
    'meshbench_threshold_passed',
    '',
    '1 when a threshold holds, 0 when it does not or is undecided.',
  )
  for (const { threshold, state, actual } of clean.thresholds) {
    const { metric, percentile, arm, relativeTo, min, max } = threshold
    const cell = clean.cells.find((one) => one.cell === actual?.cells[0])
    const where = { experiment: cell?.experiment ?? threshold.experiment, load: cell?.loadLabel }
    const labels = {
      run: clean.runId,
      ...where,
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
  const parts = Object.entries(labels).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [
          `${name}="${String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
        ],
  )
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}
