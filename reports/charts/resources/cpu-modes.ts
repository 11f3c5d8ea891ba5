/** Splits the same bill by where the CPU was: user space, kernel on behalf of a component, and nobody's. */
import { number, paceText, thousand } from '../../formats/format.js'
import { hatch } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { chargeable } from './cpu-bill.js'
import { stackedBars } from './stacked-bars.js'

interface Modes {
  readonly arm: ArmView
  readonly user: number
  readonly system: number
  readonly unsplit: number
  readonly unaccounted: number
}

export const cpuModes: ChartBuilder = (view): Chart | undefined => {
  const { lead } = view
  const modes = view.arms.flatMap((arm): Modes[] => {
    const cell = view.cell(arm.id)
    if (cell === undefined || cell.bill.length === 0) return []
    const sum = { user: 0, system: 0, unsplit: 0, unaccounted: 0 }
    for (const row of chargeable(cell)) {
      if (row.category === 'unaccounted') sum.unaccounted += row.cpu.value
      else if (row.cpuUserShare === undefined) sum.unsplit += row.cpu.value
      else {
        sum.user += row.cpu.value * row.cpuUserShare
        sum.system += row.cpu.value * (1 - row.cpuUserShare)
      }
    }
    return [{ arm, ...sum }]
  })
  if (lead === undefined || !modes.some(({ user }) => user > 0)) return undefined
  const parts = [
    { name: 'user', fill: (arm: ArmView) => arm.colour, opacity: 0.5, value: ({ user }: Modes) => user },
    {
      name: 'system',
      fill: (arm: ArmView) => arm.colour,
      opacity: 0.22,
      value: ({ system }: Modes) => system,
    },
    { name: 'not split', fill: () => 'var(--app)', opacity: 1, value: ({ unsplit }: Modes) => unsplit },
    { name: 'unaccounted', fill: () => hatch, opacity: 1, value: ({ unaccounted }: Modes) => unaccounted },
  ]
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
      columns: ['arm', 'user, ms', 'system, ms', 'not split, ms', 'unaccounted, ms'],
      rows: modes.map(({ arm, user, system, unsplit, unaccounted }) => [
        arm.label,
        ...[user, system, unsplit, unaccounted].map(number),
      ]),
    },
    spec: (size) =>
      stackedBars(
        {
          arms: modes.map(({ arm }) => arm),
          segments: modes.flatMap((split) =>
            parts.map((part) => ({
              arm: split.arm,
              name: part.name,
              value: part.value(split),
              fill: part.fill(split.arm),
              opacity: part.opacity,
              tip: `${split.arm.label}, ${part.name}: ${number(part.value(split))} ms per ${thousand} requests`,
              labelled: part.name !== 'unaccounted',
            })),
          ),
          totals: [],
          axisTitle: `CPU, ms per ${thousand} requests`,
        },
        size,
      ),
  }
}
