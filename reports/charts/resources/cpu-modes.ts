/** Splits the same bill by where the CPU was: user space, kernel on behalf of a component, and nobody's. */
import { number, paceText, thousand } from '../../formats/format.js'
import { hatch } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { chargeable } from './cpu-bill.js'
import { stackedBars } from './stacked-bars.js'

const parts = [
  { name: 'user', fill: ({ colour }: ArmView) => colour, opacity: 0.5 },
  { name: 'system', fill: ({ colour }: ArmView) => colour, opacity: 0.22 },
  { name: 'not split', fill: () => 'var(--app)', opacity: 1 },
  { name: 'unaccounted', fill: () => hatch, opacity: 1 },
] as const

export const cpuModes: ChartBuilder = (view): Chart | undefined => {
  const { lead } = view
  const modes = view.arms.flatMap((arm) => {
    const cell = view.cell(arm.id)
    if (cell === undefined || cell.bill.length === 0) return []
    const sum = { user: 0, system: 0, 'not split': 0, unaccounted: 0 }
    for (const { category, cpu, cpuUserShare: user } of chargeable(cell)) {
      if (category === 'unaccounted' || user === undefined)
        sum[category === 'unaccounted' ? category : 'not split'] += cpu.value
      else {
        sum.user += cpu.value * user
        sum.system += cpu.value * (1 - user)
      }
    }
    return [{ arm, ...sum }]
  })
  if (lead === undefined || !modes.some(({ user }) => user > 0)) return undefined
  return {
    title: `User and system time per ${thousand} requests`,
    caption: `CPU ms per ${thousand} requests at ${paceText(lead.load)}: strong is user space, light is system time charged to a component, hatched is unaccounted (interrupts, kernel workers, other processes).`,
    alternative: modes
      .map(
        ({ arm, user, system, unaccounted }) =>
          `${arm.label}: ${number(user)} ms user, ${number(system)} ms system, ${number(unaccounted)} ms unaccounted`,
      )
      .join('; '),
    table: {
      columns: ['arm', ...parts.map(({ name }) => `${name}, ms`)],
      rows: modes.map((mode) => [mode.arm.label, ...parts.map(({ name }) => number(mode[name]))]),
    },
    spec: (size) =>
      stackedBars(
        {
          arms: modes.map(({ arm }) => arm),
          segments: modes.flatMap((mode) =>
            parts.map(({ name, fill, opacity }) => ({
              ...{ arm: mode.arm, name, opacity, value: mode[name], fill: fill(mode.arm) },
              tip: `${mode.arm.label}, ${name}: ${number(mode[name])} ms per ${thousand} requests`,
              labelled: name !== 'unaccounted',
            })),
          ),
          totals: [],
          axisTitle: `CPU, ms per ${thousand} requests`,
        },
        size,
      ),
  }
}
