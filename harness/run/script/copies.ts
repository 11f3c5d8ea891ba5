/** Hops that are up more than once: which of them a trial uses, and their counters as if they were one. */
import { copiesFor, copyId } from '../../model/plan.js'
import type { Cell, Component, Edge, HopCounters, Path } from '../../model.js'

/** Ids of the copies that trials of a cell use, of workloads in their order. */
export function copyIds(cell: Cell, path: Path): readonly string[] {
  return copiesFor(cell, path).map((which) => copyId(cell.arm, which))
}

/**
 * Components without the copies in use, and counters with those of their copies added: of hops to the hop's, of what
 * their functions call to what the hop's call, of an application of its own to the arm's, or to the one that arms share.
 */
export function fold(
  components: readonly Component[],
  edges: readonly Edge['counters'][],
  copies: readonly string[],
): { readonly components: readonly Component[]; readonly edges: readonly Edge['counters'][] } {
  if (copies.length === 0) return { components, edges }
  const isCopy = ({ arm }: Component) => arm !== undefined && copies.includes(arm)
  const copied = components.filter(isCopy)
  const applications = components.filter(({ category }) => category === 'application')
  const originalOf = (copy: Component) => {
    // Where each arm has its own, an application says nothing of the arm that its hops are a copy of.
    const of = copied.find(({ arm, copy: made }) => arm === copy.arm && made)?.copy?.of
    return (
      (copy.category === 'application'
        ? (applications.find(({ arm }) => arm === of) ?? applications.find(({ arm }) => arm === undefined))
        : components.find(
            ({ arm, hop, service }) => arm === copy.copy?.of && hop === copy.hop && service === copy.service,
          )
      )?.name ?? copy.name
    )
  }
  return {
    components: components.filter((component) => !isCopy(component)),
    edges: edges.map((counters) => {
      const sums: Record<string, HopCounters> = { ...counters }
      for (const copy of copied) {
        const own = sums[copy.name]
        const original = originalOf(copy)
        const sum = sums[original]
        if (own && sum) sums[original] = added(sum, own)
        delete sums[copy.name]
      }
      return sums
    }),
  }
}

function added(first: HopCounters, second: HopCounters): HopCounters {
  const sums = Object.entries(first).map(([key, value]) => {
    const more = second[key as keyof HopCounters]
    return [key, typeof value === 'number' && typeof more === 'number' ? value + more : value]
  })
  return Object.fromEntries(sums) as HopCounters
}
