/** Answers "how much does it carry?": throughput of every arm when the load is limited by replies alone. */
import * as metrics from '../../../scenarios/metrics.js'
import type { Estimate } from '../../../harness/model.js'
import { changeText, fixed, roundsText, sentence } from '../../formats/format.js'
import { ink, type Size } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { armAxis, byColour, datum, figureMark, spanMark, tip, valueAxis } from '../marks.js'

interface Bar {
  readonly arm: ArmView
  readonly throughput: Estimate
  readonly ratio: Estimate | undefined
}

export const capacity: ChartBuilder = (view, book): Chart | undefined => {
  const load = view.loads.find(({ load: { model, engine } }) => model === 'closed' && engine !== 'stream')
  if (load === undefined) return undefined
  const bars = view.arms
    .filter((arm) => arm.arm.role !== 'twin')
    .flatMap((arm): Bar[] => {
      const throughput = view.cell(arm.id, load)?.throughput
      if (throughput === undefined || throughput.n === 0) return []
      return [{ arm, throughput, ratio: view.compare(arm.id, [metrics.throughput], { load })?.ratio }]
    })
  if (bars.length === 0) return undefined
  const base = bars.find(({ arm }) => arm.arm.role === 'baseline')
  const least = [...bars].sort((a, b) => a.throughput.value - b.throughput.value)[0]
  return {
    title:
      least?.ratio === undefined || base === undefined || least.ratio.high >= 1
        ? 'Throughput when connections are always busy'
        : `${least.arm.label} carries ${changeText(least.ratio).replace(/\).*$/, ')')} than a direct connection`,
    caption: `Closed loop: ${load.load.connections} connections send again as soon as they are answered; 95 % intervals over ${roundsText(bars.map(({ throughput }) => throughput))}. At saturation the arms share the host's CPUs with the generator, so this compares whole systems, not hops.`,
    alternative: bars.map(({ arm, throughput }) => `${arm.label}: ${sentence(throughput)}`).join('; '),
    table: {
      columns: ['arm', 'throughput, requests/s', 'against the baseline'],
      rows: bars.map(({ arm, throughput, ratio }) => [
        arm.label,
        book.cell(throughput, { metric: metrics.throughput.id, kind: 'value' }),
        book.cell(ratio, { metric: metrics.throughput.id, kind: 'ratio' }, 'change'),
      ]),
    },
    spec: (size) => build(bars, size),
  }
}

function build(bars: readonly Bar[], size: Size): object {
  const values = bars.map(({ arm, throughput }) => ({
    ...datum(arm, throughput, `${arm.label}: ${sentence(throughput)}`),
    text: fixed(throughput.value, 0),
  }))
  const { plotWidth, rowHeight, y } = armAxis(values, size, [22, 32])
  const highest = Math.max(...values.map(({ high }) => high))
  const x = valueAxis([0, (highest * plotWidth) / Math.max(60, plotWidth - 64)], {
    title: 'requests per second',
    tickCount: size === 'wide' ? 8 : 4,
    format: '~r',
  })
  return {
    width: plotWidth,
    height: rowHeight,
    data: { values },
    layer: [
      {
        mark: { type: 'bar', opacity: 0.8, height: { band: 0.6 } },
        encoding: { x, y, fill: byColour, description: tip },
      },
      spanMark(x, y, { stroke: ink }),
      figureMark(x, y),
    ],
  }
}
