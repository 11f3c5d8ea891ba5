/** The analysis as the page carries it for downloads: page script inflates it and gives it back. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Analysis, TrialSummary } from '../../harness/model.js'
import { csvColumns } from '../formats/csv.js'

/**
 * JSON in gzip in base64: of figures ten significant digits, of those of single trials, whose histograms keep three, six.
 * analysis.json, written beside the page, has them all. Trials are most of a long run's, and field by field a third smaller.
 */
export async function compressAnalysis({ trials, ...rest }: Analysis): Promise<string> {
  const fields = [...new Set(trials.flatMap((trial) => Object.keys(trial)))] as (keyof TrialSummary)[]
  const columns = Object.fromEntries(fields.map((field) => [field, trials.map((trial) => trial[field])]))
  const text = `{"analysis":${jsonOf(rest, 10)},"columns":${jsonOf(columns, 6)},"csv":${JSON.stringify(csvColumns)}}`
  // Beside the drawing, on a thread of its own: in one chunk, since drawing leaves no turn of the event loop for a second.
  const packed = await promisify(gzip)(text, { level: 9, chunkSize: Math.max(64, text.length) })
  return packed.toString('base64')
}

function jsonOf(value: unknown, digits: number): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'number' && !Number.isInteger(inner) ? Number(inner.toPrecision(digits)) : inner,
  )
}
