/** Answers "can I trust it?" over time: every trial of every arm where it happened, drift and invalid trials to be seen. */
import type { TrialSummary } from '../../../harness/model.js'
import { ascending, median } from '../../../harness/protocol/averages.js'
import { fixed, number, paceText, plural } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, ink, muted, warn, type Size } from '../../page/theme.js'
import type { ArmView, View } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { byColour, byShape, labelWidthOf, linearAxis, minutesAxis, tip } from '../marks.js'

interface Dot {
  readonly arm: ArmView
  readonly minutes: number
  /** Share by which the trial's median lies off its arm's median. */
  readonly off: number
  readonly ms: number
  readonly trial: TrialSummary
}

/** Up to so many dots say what they are when pointed at. */
const mostWords = 300
/** More dots than this are thinned to the extremes and the middle of equal spans of time, arm by arm. */
const mostDots = 700

export const trialStrip: ChartBuilder = (view): Chart | undefined => {
  const { lead } = view
  if (lead === undefined) return undefined
  const dots = collect(view)
  if (dots.length < 2) return undefined
  const bad = dots.filter((dot) => dot.trial.state !== 'ok').length
  const drift = driftOf(dots)
  const edge = edgeOf(dots)
  const drawn = dots.length > mostDots ? thinOut(dots) : dots
  const rows = view.arms.flatMap((arm) => {
    const mine = dots.filter((dot) => dot.arm === arm)
    if (mine.length === 0) return []
    const ok = mine.filter((dot) => dot.trial.state === 'ok').map((dot) => dot.ms)
    const sorted = ascending(ok)
    return [
      [
        arm.label,
        String(mine.length),
        String(mine.length - ok.length),
        number(sorted[0] ?? Number.NaN),
        number(median(ok)),
        number(sorted.at(-1) ?? Number.NaN),
      ],
    ]
  })
  return {
    title: 'Every trial where it happened',
    caption:
      `Each dot is one trial's median response time, relative to the median of its arm, at ${paceText(lead.load)}; ${plural(dots.length, 'trial')}` +
      (bad > 0 ? `, ${bad} not valid (crosses)` : ', all valid') +
      `. The last third lies ${fixed(Math.abs(drift) * 100, 1)} % ${drift < 0 ? 'below' : 'above'} the first; arms are compared within rounds, so that drift hits all alike. Deviations beyond ±${fixed(edge * 100, 0)} % are drawn at the edge.` +
      (dots.length > mostDots ? ' Dots are thinned to the extremes and the middle of short spans.' : ''),
    alternative: `${plural(dots.length, 'trial')}, ${bad} not valid; drift between first and last third ${fixed(drift * 100, 1)} %.`,
    table: {
      columns: ['arm', 'trials', 'not valid', 'lowest p50, ms', 'middle p50, ms', 'highest p50, ms'],
      rows,
    },
    spec: (size) => build(drawn, edge, size, view),
  }
}

function collect(view: View): Dot[] {
  const { lead } = view
  const start = Date.parse(view.analysis.startedAt)
  return view.arms.flatMap((arm): Dot[] => {
    const cell = view.cell(arm.id, lead)?.cell
    const trials = view.analysis.trials.filter((trial) => trial.cell === cell)
    const middle = median(trials.flatMap(({ state, p50Ms }) => (state === 'ok' ? (p50Ms ?? []) : [])))
    return trials.flatMap((trial): Dot[] => {
      const minutes = (Date.parse(trial.startedAt) - start) / 60_000
      if (trial.p50Ms === undefined || !Number.isFinite(minutes) || !Number.isFinite(middle)) return []
      return [{ arm, minutes, ms: trial.p50Ms, off: trial.p50Ms / middle - 1, trial }]
    })
  })
}

/** How much later trials differ from earlier ones, over all arms. */
function driftOf(dots: readonly Dot[]): number {
  const valid = dots.filter((dot) => dot.trial.state === 'ok').sort((a, b) => a.minutes - b.minutes)
  const third = Math.floor(valid.length / 3)
  if (third === 0) return 0
  const middle = (part: readonly Dot[]) => median(part.map((dot) => dot.off))
  return middle(valid.slice(-third)) - middle(valid.slice(0, third))
}

/** Deviations beyond this are drawn at the edge: room for all but the most extreme trials, and at least 5 %. */
function edgeOf(dots: readonly Dot[]): number {
  const sorted = ascending(dots.map((dot) => Math.abs(dot.off)))
  const most = sorted[Math.floor(sorted.length * 0.98)] ?? 0
  return Math.min(0.5, Math.max(0.05, Math.ceil(most * 22) / 20))
}

function thinOut(dots: readonly Dot[]): Dot[] {
  const arms = new Set(dots.map((dot) => dot.arm))
  const span = Math.ceil(dots.length / (mostDots / 3))
  return [...arms].flatMap((arm) => {
    const mine = dots.filter((dot) => dot.arm === arm)
    const kept: Dot[] = []
    for (let from = 0; from < mine.length; from += span) {
      const part = mine.slice(from, from + span).sort((a, b) => a.off - b.off)
      const chosen = new Set([part[0], part[Math.floor(part.length / 2)], part.at(-1)])
      kept.push(...part.filter((dot) => chosen.has(dot) || dot.trial.state !== 'ok'))
    }
    return kept
  })
}

function wordsOf(dot: Dot): string {
  const state = dot.trial.state === 'ok' ? '' : ` ${dot.trial.state}`
  return `${dot.arm.label}, round ${dot.trial.round + 1}: p50 ${number(dot.ms)} ms (${fixed(dot.off * 100, 1)} %)${state}`
}

function build(dots: readonly Dot[], edge: number, size: Size, view: View): object {
  const labels = view.arms
    .map((arm) => arm.label)
    .filter((label) => dots.some((dot) => dot.arm.label === label))
  const labelWidth = labelWidthOf(labels, size)
  const rowHeight = labels.length > 12 ? 22 : 46
  const values = dots.map((dot) => ({
    minutes: Math.round(dot.minutes * 1000) / 1000,
    row: labels.indexOf(dot.arm.label) - (Math.max(-edge, Math.min(edge, dot.off)) / edge) * 0.42,
    colour: dot.trial.state === 'ok' ? dot.arm.colour : warn,
    shape: dot.trial.state === 'ok' ? 'circle' : 'cross',
    size: dot.trial.state === 'ok' ? (dots.length > 400 ? 12 : 26) : 70,
    // Thousands of dots with words would be most of the page; then only those that do not count speak.
    tip: describe(dot.arm.key, dots.length > mostWords && dot.trial.state === 'ok' ? '' : wordsOf(dot)),
  }))
  const y = linearAxis('row', [labels.length - 0.45, -0.55], null)
  const names = { values: labels.map((label, row) => ({ label, row })) }
  return {
    width: figureWidth[size] - labelWidth - 12,
    height: rowHeight * labels.length,
    data: { values },
    layer: [
      {
        data: names,
        mark: { type: 'rule', stroke: muted, opacity: 0.35 },
        encoding: { y },
      },
      {
        data: names,
        mark: { type: 'text', align: 'right', fontSize: 12, fill: ink, limit: labelWidth - 8 },
        encoding: { y, x: { value: -8 }, text: { field: 'label' } },
      },
      {
        mark: { type: 'point', filled: true, opacity: 0.8 },
        encoding: {
          x: minutesAxis(6),
          y,
          fill: byColour,
          shape: byShape,
          size: { field: 'size', type: 'quantitative', scale: null, legend: null },
          description: tip,
        },
      },
    ],
    padding: { left: labelWidth, right: 6, top: 4, bottom: 4 },
    autosize: { type: 'pad', contains: 'content' },
  }
}
