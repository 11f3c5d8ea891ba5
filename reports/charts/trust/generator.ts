/** Shows that the load generator was not the bottleneck: how late it sent and how busy it was, trial by trial. */
import type { TrialSummary } from '../../../harness/model.js'
import { fixed, given, number, plural, thin } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, warn, type Size } from '../../page/theme.js'
import type { View } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { byColour, byShape, linearAxis, minutesAxis, tip } from '../marks.js'

interface Measure {
  readonly title: string
  readonly axis: string
  readonly limit: number
  read(trial: TrialSummary): number | undefined
}

/** More dots than this add weight, not insight; the highest of each span of trials is kept. */
const mostDots = 150

export const generator: ChartBuilder = (view): Chart | undefined => {
  const { validity } = view.analysis.config
  const measures: Measure[] = [
    {
      title: 'send lag',
      axis: 'p99, ms',
      limit: validity.maxSendLagP99Us / 1000,
      read: (trial) => (trial.sendLagP99Us === undefined ? undefined : trial.sendLagP99Us / 1000),
    },
    {
      title: 'CPU of the generator',
      axis: '% of a core per worker',
      limit: validity.maxGeneratorCpuShare * 100,
      read: (trial) => (trial.generatorCpuShare === undefined ? undefined : trial.generatorCpuShare * 100),
    },
  ]
  const start = Date.parse(view.analysis.startedAt)
  const trials = view.analysis.trials
    .filter((trial) => view.paced(trial))
    .map((trial) => ({ trial, minutes: (Date.parse(trial.startedAt) - start) / 60_000 }))
  const panels = measures.flatMap((measure): Panel[] => {
    const read = trials.flatMap(({ trial, minutes }): Dot[] => {
      const value = measure.read(trial)
      return value === undefined ? [] : [{ trial, value, minutes }]
    })
    const worst = read.reduce(
      (most, { trial, value }) => (trial.state === 'ok' ? Math.max(most, value) : most),
      0,
    )
    return read.length === 0 ? [] : [{ ...measure, worst, dots: thinOut(read) }]
  })
  if (panels.length === 0) return undefined
  const nearest = Math.max(...panels.map(({ worst, limit }) => worst / limit))
  return {
    title:
      nearest > 1
        ? 'The generator went beyond its limits in valid trials'
        : `The generator stayed within ${fixed(Math.max(1, nearest * 100), 0)} % of its limits in every valid trial`,
    caption:
      `Lag is how late requests were sent after they were due; limits are ${panels.map(({ title, axis, limit }) => `${given(limit)}${thin}${axis.includes('ms') ? 'ms' : '%'} for ${title}`).join(' and ')}, ` +
      `beyond which a trial is invalid (crosses). ${plural(trials.length, 'trial')}.` +
      (trials.length < view.analysis.trials.length
        ? ' Trials without a rate to keep, which use all that they can, are left out.'
        : '') +
      (trials.length > mostDots ? ' Of each span of trials the highest is drawn.' : ''),
    alternative: panels
      .map(
        ({ title, axis, worst, limit }) =>
          `${title}: at most ${number(worst)} of ${given(limit)}, ${axis}, in valid trials`,
      )
      .join('; '),
    table: {
      columns: ['measure', 'unit', 'highest in valid trials', 'limit'],
      rows: panels.map(({ title, axis, worst, limit }) => [title, axis, number(worst), given(limit)]),
    },
    spec: (size) => build(panels, size, view),
  }
}

interface Panel extends Measure {
  /** The highest in valid trials. */
  readonly worst: number
  readonly dots: readonly Dot[]
}

interface Dot {
  readonly trial: TrialSummary
  readonly value: number
  readonly minutes: number
}

function build(panels: readonly Panel[], size: Size, view: View): object {
  const columns = size === 'wide' ? panels.length : 1
  const width = figureWidth[size] / columns - 56
  return {
    data: { values: [] },
    concat: panels.map((drawn) => panel(drawn, width, view)),
    columns,
    spacing: 32,
  }
}

/** What is drawn of all trials: the highest of each span of them, and whatever is not valid. */
function thinOut(dots: readonly Dot[]): readonly Dot[] {
  const drawable = dots.filter(({ minutes }) => Number.isFinite(minutes))
  const span = Math.ceil(drawable.length / mostDots)
  const highestOf = new Map<number, number>()
  for (const [index, { value }] of drawable.entries()) {
    const at = Math.floor(index / span)
    highestOf.set(at, Math.max(value, highestOf.get(at) ?? value))
  }
  return drawable.filter(
    ({ trial, value }, index) => value === highestOf.get(Math.floor(index / span)) || trial.state !== 'ok',
  )
}

function panel({ title, axis, limit, dots }: Panel, width: number, view: View) {
  const highest = dots.reduce((most, dot) => Math.max(most, dot.value), 0)
  const top = highest * 1.15 || 1
  const values = dots.map(({ trial, value, minutes }) => ({
    minutes: Math.round(minutes * 1000) / 1000,
    value,
    colour: trial.state === 'ok' ? view.arm(trial.arm).colour : warn,
    shape: trial.state === 'ok' ? 'circle' : 'cross',
    tip: describe(view.arm(trial.arm).key, ''),
  }))
  const y = linearAxis('value', [0, top], { title: axis, tickCount: 4 })
  return {
    title: { text: title, offset: 22 },
    width,
    height: 130,
    layer: [
      {
        data: { values },
        mark: { type: 'point', filled: true, size: values.length > 300 ? 10 : 20, opacity: 0.75 },
        encoding: {
          x: minutesAxis(5),
          y,
          fill: byColour,
          shape: byShape,
          description: tip,
        },
      },
      ...(limit > top
        ? []
        : [
            {
              data: { values: [{ limit }] },
              mark: { type: 'rule', stroke: warn, strokeDash: [5, 4] },
              encoding: { y: { ...y, field: 'limit' } },
            },
          ]),
    ],
  }
}
