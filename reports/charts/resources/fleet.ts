/** Answers "what would it come to in my fleet?": money a month, what is paid for CPU and what for memory. */
import type { Estimate, Fleet, FleetBill } from '../../../harness/model.js'
import {
  estimateText,
  fixed,
  given,
  number,
  paceText,
  plural,
  roundsText,
  sentence,
} from '../../formats/format.js'
import { notEncrypting } from '../../page/ranking.js'
import { isUnder, type ArmView, type View } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { stackedBars, type Segment } from './stacked-bars.js'

interface PricedArm {
  readonly arm: ArmView
  readonly bill: FleetBill
  /** A month at the fleet's own rate, and what of it memory is. */
  readonly cost: Estimate
  readonly memory: Estimate
}

/** Arms whose hops are all known, those with an L7 hop first; none where the config has no fleet. */
export function pricedArms(view: View): readonly PricedArm[] {
  return (view.analysis.fleet ?? []).filter(isUnder(view.lead)).flatMap((bill) => {
    const [cost, memory] = [bill.perMonth[0]?.cost, bill.memoryPerMonth]
    return cost && memory ? [{ arm: view.arm(bill.arm), bill, cost, memory }] : []
  })
}

export const fleetText = ({ requestsPerSecond, pods, nodes, waypoints }: Fleet): string =>
  `${rateText(requestsPerSecond)} on ${plural(pods, 'pod')}, ${plural(nodes, 'node')} and ${plural(waypoints, 'waypoint')}`

const rateText = (perSecond: number) =>
  `${perSecond < 100 ? given(perSecond) : fixed(perSecond, 0)} requests/s`

/** `400 for each pod`: how many hops there are for what. */
const hopsText = ({ hops }: FleetBill) =>
  hops.map(({ per, count }) => `${fixed(count, 0)}, one a ${per}`).join('; ') || 'none'

export const fleet: ChartBuilder = (view, book): Chart | undefined => {
  const { lead, analysis } = view
  const { fleet: asked, ...prices } = analysis.config.cost
  const priced = pricedArms(view)
  if (lead === undefined || asked === undefined || priced.length === 0) return undefined
  const { currency } = prices
  const unlike = notEncrypting(priced.map(({ arm }) => arm))
  const tip = (of: ArmView, what: string, value: number) =>
    `${of.label}: ${what} ${number(value)} ${currency} a month`
  const segments = priced.flatMap(({ arm, cost, memory }): Segment[] =>
    (
      [
        ['CPU', cost.value - memory.value, 0.5],
        ['memory', memory.value, 0.22],
      ] as const
    ).map(([name, value, opacity]) => ({
      ...{ arm, name, value, opacity, fill: arm.colour, labelled: true },
      tip: tip(arm, name, value),
    })),
  )
  const rates = priced[0]?.bill.perMonth.slice(1).map(({ requestsPerSecond }) => requestsPerSecond) ?? []
  return {
    title: titleOf(priced, currency),
    caption:
      `What each path adds to no mesh at ${fleetText(asked)}, at ${given(prices.perVcpuHour)} ${currency} per vCPU-hour and ${given(prices.perGibHour)} ${currency} per GiB-hour; ` +
      `strong: CPU, light: memory. From CPU a request and memory a hop as they were at ${paceText(lead.load)}, ${roundsText(priced.map(({ bill }) => bill.cores))}, with 95 % intervals. ` +
      (unlike === undefined ? '' : `Not like for like: ${unlike}, the others do. `) +
      'Not in it: the control plane, what hops hold of a configuration that grows with a fleet, and what idle ones spend.',
    alternative: priced
      .map(({ arm, cost }) => `${arm.label}: ${sentence(cost)} ${currency} a month`)
      .join('; '),
    table: {
      columns: [
        'arm',
        'hops',
        'cores',
        'memory, MiB',
        `${currency} a month`,
        'against the least that does the same',
        ...rates.map((rate) => `${currency} a month at ${rateText(rate)}`),
      ],
      rows: priced.map(({ arm, bill }) => [
        arm.label,
        hopsText(bill),
        book.cell(bill.cores, { metric: 'fleet.cores', kind: 'difference' }),
        book.cell(bill.memory, { metric: 'fleet.memory', kind: 'value' }),
        book.cell(bill.perMonth[0]?.cost, { metric: 'fleet.perMonth', kind: 'difference' }),
        bill.versus
          ? book.cell(bill.versus.ratio, { metric: 'fleet.perMonth', kind: 'ratio' }, 'change')
          : 'the least',
        ...bill.perMonth
          .slice(1)
          .map(({ cost }) => book.cell(cost, { metric: 'fleet.perMonth', kind: 'difference' })),
      ]),
    },
    spec: (size) =>
      stackedBars(
        {
          arms: priced.map(({ arm }) => arm),
          segments,
          totals: priced.map(({ arm, cost }) => ({ arm, estimate: cost })),
          axisTitle: `${currency} a month`,
        },
        size,
      ),
  }
}

/** Of the arms with L7, or of all where none has: the one that costs the least, if the rest are told from it. */
function titleOf(priced: readonly PricedArm[], currency: string): string {
  const withL7 = priced.filter(({ bill }) => bill.doesL7)
  const alike = withL7.length > 1 ? withL7 : priced.filter(({ bill }) => !bill.doesL7)
  const least = alike.find(({ bill }) => bill.versus === undefined)
  const isTold = alike.every(({ bill: { versus } }) => versus === undefined || versus.verdict === 'worse')
  return least && isTold && alike.length > 1
    ? `${least.arm.label} costs the least${least.bill.doesL7 ? ' of the paths with L7' : ''}: ${estimateText(least.cost).value} ${currency} a month`
    : `Cost of the fleet, ${currency} a month`
}
