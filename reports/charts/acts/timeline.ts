/** Draws what happens to a path's requests over the window in which something is done to its hops. */
import type { Timeline } from '../../../harness/model.js'
import { fixed } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, noiseBand, type Size } from '../../page/theme.js'
import type { ArmView, LoadView, View } from '../../page/view.js'
import type { Chart } from '../chart.js'
import { spreadLabels } from '../layout.js'
import { endLabels, endRoom, lineMark, linearAxis, pointMark } from '../marks.js'

/** In px. */
const plotHeight = 220

interface Line {
  readonly arm: ArmView
  readonly label: string
  readonly timeline: Timeline
  readonly values: readonly number[]
}

/** Where requests failed, a line for each workload with failures; else the mean of each slice. */
export function timelineChart(load: LoadView, view: View): Chart | undefined {
  const cells = view.subjects.flatMap((arm) => {
    const timeline = view.cell(arm.id, load)?.timeline
    return timeline && timeline.events.length > 0 ? [{ arm, timeline }] : []
  })
  const [first] = cells
  if (!first) return undefined
  const isFailing = cells.some(({ timeline }) =>
    timeline.workloads.some(({ failed }) => failed.some(Boolean)),
  )
  const lines = cells.flatMap(({ arm, timeline }) =>
    timeline.workloads.flatMap((workload, index): Line[] => {
      if (isFailing && !workload.failed.some(Boolean)) return []
      const label = timeline.workloads.length > 1 ? `${arm.label}, workload ${index + 1}` : arm.label
      return [{ arm, label, timeline, values: isFailing ? workload.failed : workload.meanMs }]
    }),
  )
  const what = isFailing ? 'failed requests in a slice, all rounds' : 'mean response time, ms'
  const { sliceMs, rounds, events } = first.timeline
  const [from, to] = [events[0]?.startedMs ?? 0, events.at(-1)?.endedMs ?? 0]
  return {
    title: isFailing ? 'Failed requests over the window' : 'Response time over the window',
    caption: `Slices of ${sliceMs} ms by when a request was due, ${isFailing ? 'summed' : 'median'} over ${rounds} rounds; shaded from “${events[0]?.action ?? ''}” to the end of “${events.at(-1)?.action ?? ''}”. ${load.text}.${isFailing ? ' Workloads without a failure have no line.' : ''}`,
    alternative: lines
      .map(({ label, values }) => `${label}: at most ${fixed(Math.max(...values), 2)}`)
      .join('; '),
    table: {
      columns: ['line', `most ${what}`, 'slices above zero'],
      rows: lines.map(({ label, values }) => [
        label,
        fixed(Math.max(...values), 2),
        String(values.filter((value) => value > 0).length),
      ]),
    },
    spec: (size) => build(lines, { from, to, what }, size),
  }
}

function build(
  lines: readonly Line[],
  { from, to, what }: { readonly from: number; readonly to: number; readonly what: string },
  size: Size,
): object {
  const values = lines.flatMap(({ arm, label, timeline: { sliceMs }, values: own }) =>
    own.map((value, slice) => ({
      arm: label,
      ms: (slice + 0.5) * sliceMs,
      value,
      ...{ colour: arm.colour, shape: arm.shape, label: arm.label },
      ...{ name: describe(arm.key, label), tip: describe(arm.key, label) },
    })),
  )
  const last = Math.max(...values.map(({ ms }) => ms))
  const most = Math.max(1e-6, ...values.map(({ value }) => value))
  const time = { title: 'ms from the start of the window', titleAnchor: 'end', format: '.4~r' }
  const x = linearAxis('ms', [0, last], { ...time, tickCount: size === 'wide' ? 8 : 4 })
  const y = linearAxis('value', [0, most * 1.08], { title: what, tickCount: 5, format: '.4~r' })
  // One name for each path, at the end of its first line; most lines end at the same height.
  const lastPoints = [...new Map(lines.map((line) => [line.arm.key, line])).values()].flatMap(({ label }) =>
    values.filter((value) => value.arm === label).slice(-1),
  )
  const ends = spreadLabels(lastPoints, y, plotHeight)
  const room = endRoom(ends, size)
  return {
    width: figureWidth[size] - 56 - room,
    height: plotHeight,
    data: { values },
    layer: [
      {
        data: { values: [{ from, to: Math.min(to, last) }] },
        mark: { type: 'rect', fill: noiseBand },
        encoding: { x: { ...x, field: 'from' }, x2: { field: 'to' } },
      },
      lineMark(x, y),
      { ...pointMark(x, y), data: { values: ends } },
      endLabels(ends, x, y, room - 9),
    ],
  }
}
