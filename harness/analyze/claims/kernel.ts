/**
 * The rule of C10: L4 in eBPF against the rules of nftables that do the same, and against one L7 hop, a process in user space.
 *
 * The kernel works in the name of whoever sends, the generator included. So what is compared is all that the host was busy
 * with, less Meshbench itself, and not what components are charged.
 */
import { metric, per1000 } from '../../../scenarios/metrics.js'
import type { ClaimAnalysis, Estimate } from '../../model.js'
import { pValueOf } from '../../stats/location.js'
import { locate, type Settings } from '../../stats/paired.js'
import { alpha, comparePaired, fewestFirm } from '../estimates.js'
import { armOn, combinedValues } from '../increments.js'
import { hostStepNs, stepOf, type CellGroup, type Run } from '../readings.js'
import { withInterval } from '../words.js'
import { concluded, couldSee, nextOf, type Finding, type Rule } from './finding.js'

/** “Keeps in the kernel” and “bypasses much” are taken as: adds at most half, as “much cheaper” is elsewhere. */
export const atMost = 0.5

const perThousand = 'ms of the host’s CPU per 1 000 requests'

const hostCpu = metric({
  id: 'cpu.host',
  title: 'CPU of the host per 1 000 requests',
  unit: 'ms',
  read: (reading) => per1000(reading, reading.bill && reading.bill.hostBusyNs - reading.bill.orchestratorNs),
  resolution: (reading) => per1000(reading, hostStepNs) ?? 0,
})

/** CPU by round of a baseline and of what does L4 or L7 in its place. */
export interface KernelCosts {
  readonly baseline: readonly number[]
  readonly ebpf: readonly number[]
  readonly rules: readonly number[]
  readonly hop: readonly number[]
  /** The finest step that any of them can take; absent: none is known. */
  readonly step?: number
}

const added = (values: readonly number[], { baseline }: KernelCosts) =>
  values.map((value, round) => value - (baseline[round] ?? 0))

/** By how much eBPF adds more than the share of another that it may: one whole value less two halves, off by a step at most. */
const excess = (costs: KernelCosts, other: readonly number[]) =>
  added(costs.ebpf, costs).map((value, round) => value - atMost * (added(other, costs)[round] ?? 0))

/** One test for each thing that eBPF is set against: rules first, then the hop. */
export function kernelTests(costs: KernelCosts, settings: Settings): readonly number[] {
  return [costs.rules, costs.hop].map((other) => {
    const values = excess(costs, other)
    return values.length < fewestFirm ? 1 : pValueOf(locate(values, settings, costs.step))
  })
}

/** Supported where eBPF stays below its share of both, refuted where it is beyond that of one. */
export function kernelVerdict(
  costs: KernelCosts,
  adjusted: readonly number[],
  settings: Settings,
): ClaimAnalysis['verdict'] {
  const sides = [costs.rules, costs.hop].map((other, index) => {
    const firm = (adjusted[index] ?? 1) <= alpha && costs.ebpf.length >= fewestFirm
    return firm ? Math.sign(locate(excess(costs, other), settings, costs.step).value) : 0
  })
  return sides.some((side) => side > 0)
    ? 'refuted'
    : sides.every((side) => side < 0)
      ? 'supported'
      : 'inconclusive'
}

/** Answered at the load with the most rounds that have all four. */
export const judgeC10: Rule = (run, groups, settings) => {
  const [best] = groups
    .flatMap((group) => costsOf(run, group) ?? [])
    .sort((a, b) => b.costs.ebpf.length - a.costs.ebpf.length)
  return best && concluding(best, settings)
}

type Measured = NonNullable<ReturnType<typeof costsOf>>

/** Arms in the order of `KernelCosts`. */
function costsOf(run: Run, group: CellGroup) {
  const meshes = [...new Set(group.cells.flatMap(({ arm }) => run.armOf.get(arm)?.mesh ?? []))]
  const arms = [
    armOn(run, group, 'ebpf', 'baseline'),
    armOn(run, group, 'ebpf', 'l4-kernel'),
    armOn(run, group, 'nftables', 'l4-kernel'),
    meshes.flatMap((mesh) => armOn(run, group, mesh, 'l7-per-node') ?? [])[0],
  ].filter((arm) => arm !== undefined)
  if (arms.length < 4) return undefined
  const [baseline = [], ebpf = [], rules = [], hop = []] = arms.map((arm) =>
    combinedValues(
      run,
      group,
      hostCpu,
      arms.map((other) => [other, other === arm ? 1 : 0]),
    ),
  )
  const cells = arms.map((arm) => group.byArm.get(arm)?.id ?? '')
  const step = stepOf(run, cells, hostCpu)
  return baseline.length === 0 ? undefined : { group, arms, costs: { baseline, ebpf, rules, hop, step } }
}

function concluding({ group, arms, costs }: Measured, settings: Settings): Finding {
  const cells = arms.map((arm) => group.byArm.get(arm)?.id ?? '')
  const { step = 0 } = costs
  const options = { unit: 'ms' as const, cells, step }
  const [ebpf, rules, hop] = [costs.ebpf, costs.rules, costs.hop].map((values) => added(values, costs)) as [
    number[],
    number[],
    number[],
  ]
  const value = (values: readonly number[]): Estimate =>
    comparePaired(values, costs.baseline, settings, options).difference
  const share = (of: readonly number[]) =>
    comparePaired(ebpf, of, settings, { ...options, step: 2 * step }).ratio
  const parts = [rules, hop].map((other) =>
    comparePaired(
      ebpf,
      other.map((each) => atMost * each),
      settings,
      options,
    ),
  )
  return {
    pValues: kernelTests(costs, settings),
    conclude(adjusted) {
      const verdict = kernelVerdict(costs, adjusted, settings)
      const words = [costs.ebpf, costs.rules, costs.hop]
        .map(value)
        .map((estimate) => withInterval(estimate, ''))
      return concluded(
        verdict,
        `At ${group.loadLabel} L4 in eBPF added ${words[0]} ${perThousand}, the same as rules of nftables ${words[1]}, and one L7 hop in user space (${arms[3]}) ${words[2]}; “keeps in the kernel” and “bypasses much” are read as at most half of either. There is one service here; no arm does L7 in the kernel.${parts[0] ? couldSee(parts[0], perThousand) : ''}`,
        [
          ['added by L4 in eBPF to what the rules of nftables add', share(rules)],
          ['added by L4 in eBPF to what one L7 hop adds', share(hop)],
          [`added by L4 in eBPF, ${perThousand}`, value(costs.ebpf)],
          [`added by rules of nftables, ${perThousand}`, value(costs.rules)],
          [`added by one L7 hop, ${perThousand}`, value(costs.hop)],
        ],
        nextOf(parts.map(({ difference }) => difference)),
      )
    },
  }
}
