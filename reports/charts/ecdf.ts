/** Shows the bulk of the distribution, which the percentile plot compresses: which share of requests is done by when. */
import type { TopLevelSpec } from 'vega-lite'
import { number, paceText } from '../formats/format.js'
import { describe } from '../page/svg.js'
import { figureWidth, ink, type Size } from '../page/theme.js'
import type { ArmView, View } from '../page/view.js'
import type { Chart, ChartBuilder } from './chart.js'
import { logDomain, spreadLabels } from './layout.js'

interface Step {
  readonly arm: ArmView
  readonly points: readonly { readonly ms: number; readonly share: number }[]
}

export const ecdf: ChartBuilder = (view): Chart | undefined => {
  const { lead } = view
  const steps = collect(view)
  if (lead === undefined || steps.length === 0) return undefined
  const base = steps.find(({ arm }) => arm.arm.role === 'baseline')
  const limit = base === undefined ? undefined : at(base, 0.99)
  const worst = steps
    .map((step) => ({ step, share: limit === undefined ? 1 : shareBelow(step, limit) }))
    .sort((a, b) => a.share - b.share)[0]
  return {
    title:
      limit === undefined || worst === undefined || worst.step === base
        ? 'Share of requests answered within a time'
        : `In the ${number(limit)} ms that 99 % of direct requests need, ${worst.step.arm.label} answers ${number(worst.share * 100)} %`,
    caption: `Empirical distribution of response time over all valid trials at ${paceText(lead.load)}. The time axis is logarithmic.`,
    alternative: steps
      .map(
        (step) => `${step.arm.label}: half of the requests within ${number(at(step, 0.5) ?? Number.NaN)} ms`,
      )
      .join('; '),
    table: {
      columns: ['arm', '10 %, ms', '25 %, ms', '50 %, ms', '75 %, ms', '90 %, ms', '99 %, ms'],
      rows: steps.map((step) => [
        step.arm.label,
        ...[0.1, 0.25, 0.5, 0.75, 0.9, 0.99].map((share) => {
          const ms = at(step, share)
          return ms === undefined ? '–' : number(ms)
        }),
      ]),
    },
    spec: (size) => build(steps, size),
  }
}

function collect(view: View): Step[] {
  return view.arms.flatMap((arm): Step[] => {
    // The twin lies on the baseline; the noise chart shows how closely.
    if (arm.arm.role === 'twin') return []
    const curve = view.cell(arm.id)?.curve ?? []
    const points = curve
      .filter((point) => point.ms > 0 && point.percentile > 0 && point.percentile <= 99.5)
      .map((point) => ({ ms: point.ms, share: point.percentile / 100 }))
    return points.length < 2 ? [] : [{ arm, points }]
  })
}

function build(steps: readonly Step[], size: Size): TopLevelSpec {
  const height = 260
  const labelRoom = Math.min(
    size === 'wide' ? 210 : 120,
    14 + 7.6 * Math.max(...steps.map(({ arm }) => arm.label.length)),
  )
  const domain = logDomain(steps.flatMap(({ points }) => points.map(({ ms }) => ms)))
  const values = steps.flatMap(({ arm, points }) =>
    points.map(({ ms, share }) => ({
      arm: arm.key,
      ms,
      share: share * 100,
      colour: arm.colour,
      name: describe(arm.key, arm.label),
    })),
  )
  const ends = steps.map(({ arm, points }) => ({
    arm,
    share: (points.at(-1)?.share ?? 1) * 100,
    ms: points.at(-1)?.ms ?? 1,
  }))
  // Labels stand at the right edge, in the order in which the curves arrive at the top.
  const order = [...ends].sort((a, b) => b.ms - a.ms)
  const places = spreadLabels(
    order.map((_, index) => 30 + index * 0.01),
    [0, 100],
    height,
    16,
    false,
  )
  const x = {
    field: 'ms',
    type: 'quantitative',
    scale: { type: 'log', domain, nice: false },
    axis: { title: 'response time, ms (logarithmic)', titleAnchor: 'end', format: '.4~r', tickCount: 6 },
  }
  const y = {
    field: 'share',
    type: 'quantitative',
    scale: { domain: [0, 100] },
    axis: { title: 'requests answered, %', tickCount: 5 },
  }
  const stroke = { field: 'colour', type: 'nominal', scale: null }
  return {
    width: figureWidth[size] - 46 - labelRoom,
    height,
    data: { values },
    layer: [
      {
        mark: { type: 'line', interpolate: 'monotone', strokeWidth: 2.25, clip: true },
        encoding: { x, y, detail: { field: 'arm', type: 'nominal' }, stroke, description: { field: 'name' } },
      },
      ...(['square', 'text'] as const).map((type) => ({
        data: {
          values: order.map(({ arm }, index) => ({
            ms: domain[1],
            share: places[index] ?? 50,
            label: arm.label,
            colour: arm.colour,
            tip: describe(arm.key, ''),
          })),
        },
        mark:
          type === 'text'
            ? { type, align: 'left', dx: 18, fontSize: 12, fill: ink, limit: labelRoom - 18 }
            : { type, size: 70, opacity: 1, xOffset: 9, filled: true },
        encoding: {
          x,
          y,
          description: { field: 'tip' },
          ...(type === 'text' ? { text: { field: 'label' } } : { fill: stroke }),
        },
      })),
    ],
  } as unknown as TopLevelSpec
}

function at(step: Step, share: number): number | undefined {
  const { points } = step
  const after = points.findIndex((point) => point.share >= share)
  const [upper, lower] = [points[after], points[after - 1]]
  if (upper === undefined) return undefined
  if (lower === undefined) return upper.share - share < 0.02 ? upper.ms : undefined
  return lower.ms + ((share - lower.share) / (upper.share - lower.share)) * (upper.ms - lower.ms)
}

function shareBelow(step: Step, ms: number): number {
  const { points } = step
  const after = points.findIndex((point) => point.ms >= ms)
  const [upper, lower] = [points[after], points[after - 1]]
  if (upper === undefined) return points.at(-1)?.share ?? 1
  if (lower === undefined) return upper.share
  return lower.share + ((ms - lower.ms) / (upper.ms - lower.ms || 1)) * (upper.share - lower.share)
}
