/** One line of the table of known answers, and how it is judged and printed. */
import { alignColumns } from '../../../reports/page/columns.js'
import { boundsOf, estimateLocation, type Location } from '../../stats/location.js'

/** What was expected, what was measured, and how far they may lie apart. */
export interface Answer {
  readonly check: string
  readonly what: string
  readonly unit: string
  readonly expected: number
  readonly measured: number
  /** Largest difference that passes; absent: none. */
  readonly tolerance?: number
  /** `atMost`: not above what is expected; `context`: printed, not judged; absent: within the tolerance. */
  readonly rule?: 'atMost' | 'context'
}

/** Half the width of the band around a truth: a share of it, or an amount, whichever is larger. */
export function tolerance(expected: number, share: number, least = 0): number {
  return Math.max(Math.abs(expected) * share, least)
}

export function isRight({ expected, measured, tolerance = 0, rule }: Answer): boolean {
  if (!Number.isFinite(measured)) return false
  if (rule === 'context') return true
  if (rule === 'atMost') return measured <= expected
  return Math.abs(measured - expected) <= tolerance
}

/** Where values lie, by the estimator of every report. */
export function located(values: readonly number[]): Location {
  return estimateLocation(values, { seed: 1 })
}

/** The same as a number; NaN of none, which is no right answer. */
export function lying(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : located(values).value
}

/**
 * Whether it is known well enough to be judged where values lie: half of their 95 % interval is at most `within`. It
 * asks for the scatter alone and not for what is expected.
 */
export function isKnown(values: readonly number[], within: number): boolean {
  return halfWidth(values) <= within
}

/** Half of the 95 % interval of where values lie; NaN of fewer than two. */
export function halfWidth(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN
  const { low, high } = boundsOf(located(values), 0.95)
  return (high - low) / 2
}

const columns = ['check', 'what', 'expected', 'measured', 'error', 'allowed', ''] as const

/** The table as text, one answer a line. */
export function renderAnswers(answers: readonly Answer[]): string {
  return alignColumns([columns, ...answers.map(cellsOf)], [0, 1]).join('\n')
}

function cellsOf(answer: Answer): readonly string[] {
  const { check, what, unit, expected, measured, tolerance = 0, rule } = answer
  const error = measured - expected
  const share = expected === 0 ? '' : ` (${signed((100 * error) / expected, 1)} %)`
  return [
    check,
    what,
    `${rule === 'atMost' ? '≤ ' : ''}${number(expected)} ${unit}`,
    `${number(measured)} ${unit}`,
    rule === 'atMost' ? '' : `${signed(error, digitsOf(error))}${share}`,
    rule === undefined ? `± ${number(tolerance)}` : '',
    rule === 'context' ? '·' : isRight(answer) ? 'right' : 'WRONG',
  ]
}

function digitsOf(value: number): number {
  const size = Math.abs(value)
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
}

function number(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(digitsOf(value))
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`
}
