/** Answers "how much does it carry before it breaks its promise?": every arm's knee, and the trials that found it. */
import * as metrics from '../../../scenarios/metrics.js'
import { upperBound } from '../../../harness/analyze/words.js'
import type { Estimate, KneeAnalysis } from '../../../harness/model.js'
import { changeText, estimateText, fixed, given, number, plural, sentence } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import type { Size } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { logDomain } from '../layout.js'
import { armAxis, byColour, datum, estimateMarks, logAxis, tip } from '../marks.js'

interface Row {
  readonly arm: ArmView
  readonly knee: KneeAnalysis
  readonly rate: Estimate
  readonly ratio: Estimate | undefined
}

export const knee: ChartBuilder = (view, book): Chart | undefined => {
  // Knees by the number of units are a chart of their own: this one has a place for one knee of each arm.
  const load = view.loads.find(
    (measured) =>
      measured.load.workloads === undefined && view.arms.some((arm) => view.cell(arm.id, measured)?.knee),
  )
  if (load === undefined) return undefined
  const rows = view.arms.flatMap((arm): Row[] => {
    const cell = view.cell(arm.id, load)
    if (!cell?.knee || cell.throughput.n === 0) return []
    const ratio = view.compare(arm.id, [metrics.throughput], { load })?.ratio
    return [{ arm, knee: cell.knee, rate: cell.throughput, ratio }]
  })
  if (rows.length === 0) return undefined
  return {
    title: title(rows),
    caption: caption(rows),
    alternative: rows.map(({ arm, rate }) => `${arm.label}: ${sentence(rate)}`).join('; '),
    table: {
      columns: ['arm', 'largest rate, requests/s', 'against the baseline', 'trials', 'how the search ended'],
      rows: rows.map(({ arm, rate, ratio, knee: { trials: own, end } }) => [
        arm.label,
        book.cell(rate, { metric: metrics.throughput.id, kind: 'value' }),
        book.cell(ratio, { metric: metrics.throughput.id, kind: 'ratio' }, 'change'),
        String(own.length),
        ends[end],
      ]),
    },
    spec: (size) => build(rows, size),
  }
}

/** What was promised: `p99 at or under 20 ms`, in either wording. */
function promiseOf(rows: readonly Row[], word: string): string {
  const search = rows[0]?.knee.search
  return search ? `p${search.percentile} ${word} ${given(search.latencyMs)} ms` : ''
}

function title(rows: readonly Row[]): string {
  const subjects = rows.filter(({ arm }) => arm.arm.role === 'subject')
  const never = subjects.filter(({ rate }) => rate.beyond === 'below')
  if (never.length > 0)
    return `${never.map(({ arm }) => arm.label).join(', ')} kept ${promiseOf(rows, 'under')} at no rate that was tried`
  const least = subjects
    .filter(({ ratio }) => ratio !== undefined)
    .sort((a, b) => a.rate.value - b.rate.value)[0]
  return least?.ratio === undefined || least.ratio.high >= 1
    ? `Largest rate with ${promiseOf(rows, 'at or under')}`
    : `${least.arm.label} keeps ${promiseOf(rows, 'under')} at ${changeText(least.ratio).replace(/\bless\b/, 'fewer')} requests than a direct connection`
}

function caption(rows: readonly Row[]): string {
  const trials = rows.reduce((sum, row) => sum + row.knee.trials.length, 0)
  const limited = rows.filter((row) => row.knee.generatorLimited).map(({ arm }) => arm.label)
  return (
    `Searched with an open loop: a trial passes when ${promiseOf(rows, 'of response time is at most')} and every request was sent and answered. ` +
    `Filled: passed; hollow: failed (${plural(trials, 'trial')}). The line is the 95 % interval of the largest rate that passes${rows.some(({ rate }) => rate.beyond) ? ', or leads to where nothing was tried' : ''}. Generator, server and hops share the host's CPUs, so this compares whole systems, not hops.` +
    (limited.length > 0 ? ` The generator was the limit of ${limited.join(', ')}.` : '')
  )
}

const ends: Readonly<Record<KneeAnalysis['end'], string>> = {
  precise: 'as precise as wanted',
  probes: 'the trials ran out',
  above: 'at or above the highest rate tried',
  below: 'below the lowest rate tried',
  unfinished: 'the run ended first',
}

function build(rows: readonly Row[], size: Size): object {
  const tried = rows.flatMap(({ knee: { trials } }) => trials.map(({ ratePerSecond }) => ratePerSecond))
  const domain = logDomain([
    ...tried,
    ...rows.flatMap(({ rate }) => (rate.beyond ? [] : [rate.low, rate.high])),
  ])
  const values = rows.map(({ arm, rate }) => ({
    ...datum(arm, rate, `${arm.label}: ${sentence(rate)}`),
    low: Math.max(rate.low, domain[0]),
    high: Math.min(upperBound(rate), domain[1]),
    text: rate.beyond ? estimateText(rate).value : fixed(rate.value, 0),
  }))
  const { plotWidth, rowHeight, y } = armAxis(values, size)
  const x = logAxis('rate', domain, {
    title: 'requests per second (logarithmic)',
    titleAnchor: 'start',
    tickCount: size === 'wide' ? 8 : 4,
    format: '~s',
  })
  return {
    width: plotWidth,
    height: rowHeight,
    data: { values },
    layer: [
      {
        data: { values: rows.flatMap(trialDots) },
        mark: { type: 'point', filled: true, size: 42, opacity: 0.9, strokeWidth: 1.5, yOffset: 6 },
        encoding: {
          x,
          y,
          fill: { field: 'fill', type: 'nominal', scale: null },
          stroke: byColour,
          description: tip,
        },
      },
      ...estimateMarks(x, y, 8),
    ],
  }
}

function trialDots({ arm, knee: { trials } }: Row): object[] {
  return trials.map((trial) => ({
    arm: arm.label,
    rate: trial.ratePerSecond,
    fill: trial.passed ? arm.colour : 'var(--paper)',
    colour: arm.colour,
    tip: describe(
      arm.key,
      `${arm.label} at ${fixed(trial.ratePerSecond, 0)}/s: ${trial.passed ? 'passed' : 'failed'}` +
        (trial.latencyMs === undefined ? '' : `, ${number(trial.latencyMs)} ms`) +
        (trial.unsent > 0 ? `, ${fixed(trial.unsent, 0)} unsent` : ''),
    ),
  }))
}
