/** What thresholds and gates found as rows of short cells, and what has no room in a cell as sentences below them. Pure. */
import { metricText } from '../../harness/analyze/gate.js'
import { visibleText } from '../../harness/analyze/visible.js'
import { asGiven } from '../../harness/analyze/words.js'
import type { Estimate, ThresholdVerdict } from '../../harness/model.js'
import { plain } from '../page/columns.js'
import { sentence } from './format.js'

export interface VerdictRow {
  readonly verdict: string
  readonly arm: string
  readonly against?: string
  readonly metric?: string
  readonly load?: string
  readonly found?: string
  readonly allowed?: string
  /** By how much a figure lies beyond what is allowed. */
  readonly beyond?: string
  /** The smallest difference that would have been seen. */
  readonly visible?: string
  /** A whole sentence, where the cells do not tell why. */
  readonly detail?: string
}

const columns = {
  verdict: 'verdict',
  arm: 'arm',
  against: 'against',
  metric: 'metric',
  load: 'load',
  found: 'found',
  allowed: 'allowed',
  beyond: 'beyond',
  visible: 'smallest visible',
} as const satisfies Partial<Record<keyof VerdictRow, string>>

/** A heading and a row each; a column that no row has anything in is left out, and a load that all rows share. */
export function tableOf(rows: readonly VerdictRow[]): string[][] {
  const keys = (Object.keys(columns) as (keyof typeof columns)[]).filter(
    (key) =>
      rows.some((row) => (row[key] ?? '') !== '') && (key !== 'load' || sharedLoad(rows) === undefined),
  )
  return [keys.map((key) => columns[key]), ...rows.map((row) => keys.map((key) => row[key] ?? ''))]
}

/** The load that all rows share, then each sentence once, in the order of the rows. */
export function detailsOf(rows: readonly VerdictRow[]): string[] {
  const shared = sharedLoad(rows)
  const load = shared === undefined ? [] : [`${rows.length === 1 ? 'Under' : 'All under'} ${shared}.`]
  return [...load, ...new Set(rows.flatMap(({ detail }) => detail ?? []))]
}

function sharedLoad(rows: readonly VerdictRow[]): string | undefined {
  const [first, ...others] = rows
  const load = first?.load ?? ''
  return load !== '' && others.every((row) => row.load === load) ? load : undefined
}

export function thresholdRow(verdict: ThresholdVerdict): VerdictRow {
  const { threshold, experiment, loadLabel = '', state, actual, expected, visible } = verdict
  return {
    verdict: state,
    arm: threshold.arm,
    against: threshold.relativeTo ?? '',
    metric: metricText(threshold),
    load: experiment === undefined ? '' : `${experiment}, ${loadLabel}`,
    found: actual ? plain(sentence(actual)) : '–',
    allowed: expected,
    beyond: state === 'fail' && actual ? beyond(actual, threshold) : '',
    visible: visible === undefined || !actual ? '–' : visibleText(visible, actual.unit),
    ...(actual ? {} : { detail: verdict.sentence }),
  }
}

/** By how much a figure lies beyond its limit: as a share of the limit, or in its unit where the limit is zero. */
export function beyond(
  { value, unit }: Pick<Estimate, 'value' | 'unit'>,
  { min, max }: { readonly min?: number | undefined; readonly max?: number | undefined },
): string {
  const limit = max !== undefined && value > max ? max : (min ?? max ?? 0)
  const by = Math.abs(value - limit)
  return limit === 0
    ? visibleText(by, unit)
    : `${asGiven(Number(((by / Math.abs(limit)) * 100).toPrecision(2)))} %`
}
