/** One line per trial, valid or not, for spreadsheets and notebooks (RFC 4180). */
import type { Analysis, TrialSummary } from '../../harness/model.js'

const columns: readonly { readonly name: string; read(trial: TrialSummary): string | number | undefined }[] =
  [
    { name: 'index', read: (trial) => trial.index },
    { name: 'round', read: (trial) => trial.round },
    { name: 'attempt', read: (trial) => trial.attempt },
    { name: 'experiment', read: (trial) => trial.experiment },
    { name: 'arm', read: (trial) => trial.arm },
    { name: 'cell', read: (trial) => trial.cell },
    { name: 'state', read: (trial) => trial.state },
    { name: 'started_at', read: (trial) => trial.startedAt },
    { name: 'p50_ms', read: (trial) => trial.p50Ms },
    { name: 'p99_ms', read: (trial) => trial.p99Ms },
    { name: 'achieved_rate_per_second', read: (trial) => trial.achievedRatePerSecond },
    { name: 'cpu_ms_per_1000_requests', read: (trial) => trial.cpuMsPer1000 },
    { name: 'connect_p50_ms', read: (trial) => trial.connectP50Ms },
    { name: 'connect_p99_ms', read: (trial) => trial.connectP99Ms },
    { name: 'first_byte_p50_ms', read: (trial) => trial.firstByteP50Ms },
    { name: 'first_byte_p99_ms', read: (trial) => trial.firstByteP99Ms },
    { name: 'gigabits_per_second', read: (trial) => trial.gigabitsPerSecond },
    { name: 'cpu_seconds_per_gib', read: (trial) => trial.cpuSecondsPerGib },
    { name: 'send_lag_p99_us', read: (trial) => trial.sendLagP99Us },
    { name: 'generator_cpu_share', read: (trial) => trial.generatorCpuShare },
    { name: 'sent', read: (trial) => trial.sent },
    { name: 'unsent', read: (trial) => trial.unsent },
    { name: 'errors', read: (trial) => trial.errors },
    {
      name: 'reasons',
      read: (trial) =>
        [
          ...trial.reasons,
          ...(trial.error === undefined ? [] : [`${trial.error.kind}: ${trial.error.message}`]),
        ].join('; '),
    },
  ]

export function renderCsv(analysis: Analysis): string {
  const lines = analysis.trials.map((trial) => columns.map((column) => cell(column.read(trial))).join(','))
  return [columns.map(({ name }) => name).join(','), ...lines, ''].join('\r\n')
}

/** Quotes text; a first character that a spreadsheet would take for a formula is made text by an apostrophe. */
function cell(value: string | number | undefined): string {
  if (value === undefined || value === '') return ''
  if (typeof value === 'number') return String(value)
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
