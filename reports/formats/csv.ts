/** One line per trial, valid or not, for spreadsheets and notebooks (RFC 4180). */
import { trialFigureNames } from '../../harness/model/analysis.js'
import type { Analysis, TrialSummary } from '../../harness/model.js'

/** Fields whose name without its capitals is not what the column is called. */
const headings: Readonly<Record<string, string>> = { cpuMsPer1000: 'cpu_ms_per_1000_requests' }
function headingOf(field: string): string {
  return headings[field] ?? field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Fields of a trial, and what their columns are called; the page's own download has the same. */
export const csvColumns = trialFigureNames.map((field) => [field, headingOf(field)] as const)

export function renderCsv({ trials }: Analysis): string {
  const rows = trials.map((trial) => [...csvColumns.map(([field]) => trial[field]), reasonsOf(trial)])
  const lines = rows.map((row) => row.map(cell).join(','))
  return [[...csvColumns.map(([, heading]) => heading), 'reasons'].join(','), ...lines, ''].join('\r\n')
}

function reasonsOf({ reasons, error }: TrialSummary): string {
  return [...reasons, ...(error === undefined ? [] : [`${error.kind}: ${error.message}`])].join('; ')
}

/** Quotes text; a first character that a spreadsheet would take for a formula is made text by an apostrophe. */
function cell(value: string | number | undefined): string {
  if (value === undefined || value === '') return ''
  if (typeof value === 'number') return String(value)
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
