/** Packs an analysis for the page: estimates and trials as rows, since as objects they would be most of the file. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Analysis, CurvePoint, Estimate, TrialSummary } from '../../harness/model.js'

/**
 * What the page carries, figures to ten significant digits, those of single trials to six (analysis.json, written beside it, has them all);
 * page script turns it back into the analysis for download.
 */
export interface PackedAnalysis {
  /** As `Analysis` without trials; every estimate is `{"~": [value, low, high, n, level, unit, method, cells]}`, every
   * point of a curve `{"^": [percentile, ms, lowMs, highMs]}`. */
  readonly analysis: unknown
  readonly trials: {
    readonly fields: readonly (keyof TrialSummary)[]
    readonly rows: readonly (readonly unknown[])[]
  }
  /** Strings that repeat: units, methods, cells, arms, experiments. Rows refer to them by position. */
  readonly strings: readonly string[]
}

/** Parts that hold estimates; the others are free-form and are kept as they are. */
const packedParts = ['cells', 'comparisons', 'noise', 'increments', 'claims', 'thresholds'] as const

const internedFields: ReadonlySet<string> = new Set(['cell', 'arm', 'experiment'])

export function packAnalysis(analysis: Analysis): PackedAnalysis {
  const positions = new Map<string, number>()
  const intern = (text: string): number => {
    const known = positions.get(text) ?? positions.size
    positions.set(text, known)
    return known
  }
  const pack = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(pack)
    if (typeof value === 'number') return digits(value)
    if (value === null || typeof value !== 'object') return value
    if (isCurvePoint(value))
      return {
        '^': [value.percentile, value.ms, value.lowMs, value.highMs]
          .filter((field) => field !== undefined)
          .map((field) => digits(field)),
      }
    if (isEstimate(value)) {
      const { value: figure, low, high, n, level, unit, method, cells } = value
      return {
        '~': [
          digits(figure),
          digits(low),
          digits(high),
          n,
          level,
          intern(unit),
          intern(method),
          cells.map(intern),
        ],
      }
    }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, pack(inner)]))
  }
  const { trials, ...rest } = analysis
  const packed = Object.fromEntries(packedParts.map((part) => [part, pack(rest[part])]))
  const fields = fieldsOf(trials)
  const rows = trials.map((trial) =>
    fields.map((field) => {
      const value = trial[field]
      return internedFields.has(field) && typeof value === 'string'
        ? intern(value)
        : typeof value === 'number'
          ? digits(value, trialDigits)
          : (value ?? null)
    }),
  )
  return { analysis: { ...rest, ...packed }, trials: { fields, rows }, strings: [...positions.keys()] }
}

/** The packed analysis as the page carries it: gzip in base64, a third of its size; page script inflates it for a download. */
export async function compressAnalysis(analysis: Analysis): Promise<string> {
  const text = JSON.stringify(packAnalysis(analysis))
  // Beside the drawing, on a thread of its own: in one chunk, since drawing leaves no turn of the event loop for a second.
  const packed = await promisify(gzip)(text, { level: 9, chunkSize: Math.max(64, text.length) })
  return packed.toString('base64')
}

/** Every field that some trial has, in the order of their first appearance. */
function fieldsOf(trials: readonly TrialSummary[]): readonly (keyof TrialSummary)[] {
  const fields = new Set<string>()
  for (const trial of trials) for (const field in trial) fields.add(field)
  return [...fields] as (keyof TrialSummary)[]
}

/** A trial's histogram keeps three digits; those of its sums beyond six are noise. */
const trialDigits = 6

function digits(value: number, count = 10): number {
  if (Number.isInteger(value)) return value
  const scale = 10 ** (count - 1 - Math.floor(Math.log10(Math.abs(value))))
  // Ten times as fast as by text, and the same where the power of ten is a whole number that a double holds.
  return scale >= 1 && scale <= 1e15 ? Math.round(value * scale) / scale : Number(value.toPrecision(count))
}

function isCurvePoint(value: object): value is CurvePoint {
  // Half a band would not survive the row; none is made, and one would be kept as an object.
  return 'percentile' in value && 'ms' in value && 'lowMs' in value === 'highMs' in value
}

function isEstimate(value: object): value is Estimate {
  // A row has no place for what is known on one side only; such an estimate is kept as an object.
  if ('beyond' in value) return false
  return 'value' in value && 'low' in value && 'high' in value && 'method' in value && 'cells' in value
}
