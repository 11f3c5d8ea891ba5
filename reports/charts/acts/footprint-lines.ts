/** Draws a mesh's memory against the replicas of its application: where two lines cross, one mesh becomes the larger one. */
import type { TopLevelSpec } from 'vega-lite'
import type { Estimate } from '../../../harness/model.js'
import { meshMemory } from '../../../scenarios/experiments/footprint.js'
import { figureOf } from '../../../scenarios/registry.js'
import { sentence } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, type Size } from '../../page/theme.js'
import type { ArmView, View } from '../../page/view.js'
import type { FigureBook } from '../../page/figures.js'
import type { Chart } from '../chart.js'
import { endLabels, endRoom, intervalMark, lineMark, pointMark } from '../marks.js'

interface Step {
  readonly arm: ArmView
  readonly replicas: number
  readonly memory: Estimate
}

export function footprintLines(view: View, book: FigureBook): Chart | undefined {
  const loads = view.loads.filter(
    ({ experiment, loadLabel }) => experiment === 'footprint' && loadLabel.includes('under load'),
  )
  const steps = view.subjects.flatMap((arm) =>
    loads.flatMap((load): Step[] => {
      const cell = view.cell(arm.id, load)
      const memory = cell && figureOf(cell, meshMemory)
      return memory && memory.n > 0 ? [{ arm, replicas: load.load.workloads ?? 1, memory }] : []
    }),
  )
  const [first] = steps
  if (!first) return undefined
  const counts = [...new Set(steps.map(({ replicas }) => replicas))].sort((a, b) => a - b)
  const arms = view.subjects.filter((arm) => steps.some((step) => step.arm === arm))
  return {
    title: 'Memory of all hops by replicas of the application',
    caption: `Proportional set size where the kernel tells it, under one total rate that does not grow; 95 % intervals over rounds of the same processes, n = ${first.memory.n}.`,
    alternative: steps
      .map(({ arm, replicas, memory }) => `${arm.label} with ${replicas}: ${sentence(memory)}`)
      .join('; '),
    table: {
      columns: ['arm', ...counts.map((count) => `${count} ${count === 1 ? 'replica' : 'replicas'}, MiB`)],
      rows: arms.map((arm) => [
        arm.label,
        ...counts.map((count) => ({
          html: book.print(steps.find((step) => step.arm === arm && step.replicas === count)?.memory, {
            metric: meshMemory.id,
            kind: 'value',
          }),
        })),
      ]),
    },
    spec: (size) => build(steps, counts, size),
  }
}

function build(steps: readonly Step[], counts: readonly number[], size: Size): TopLevelSpec {
  const values = steps.map(({ arm, replicas, memory }) => ({
    arm: arm.key,
    replicas,
    mib: memory.value,
    low: memory.low,
    high: memory.high,
    colour: arm.colour,
    shape: arm.shape,
    label: arm.label,
    tip: describe(arm.key, `${arm.label} with ${replicas}: ${sentence(memory)}`),
    name: describe(arm.key, arm.label),
  }))
  const room = endRoom(
    values.map(({ label }) => label),
    size,
  )
  const x = {
    field: 'replicas',
    type: 'quantitative',
    scale: { domain: [0, Math.max(...counts)], nice: false },
    axis: { title: 'replicas', titleAnchor: 'end', values: counts },
  }
  const y = {
    field: 'mib',
    type: 'quantitative',
    scale: { domain: [0, Math.max(...values.map(({ high }) => high)) * 1.05], nice: false },
    axis: { title: 'MiB', tickCount: 5 },
  }
  const ends = values.filter(({ replicas }) => replicas === Math.max(...counts))
  return {
    width: figureWidth[size] - 56 - room,
    height: 240,
    data: { values },
    layer: [lineMark(x, y), intervalMark(x, y), pointMark(x, y), endLabels(ends, x, y, room - 9)],
  } as unknown as TopLevelSpec
}
