/** What `--experiment all` is: every experiment, in the order of what decides most. */
import type { Experiment } from '../../scenarios/experiments/experiment.js'

/** How the flag names all of them. */
export const allExperiments = 'all'

type Deciding = Pick<Experiment, 'name' | 'claims'>

/** Names, each the one that decides most claims which none before it decides; what decides none comes last. */
export function byWhatTheyDecide(experiments: readonly Deciding[]): readonly string[] {
  const left = [...experiments]
  const decided = new Set<string>()
  const order: string[] = []
  while (left.length > 0) {
    const newly = ({ claims = [] }: Deciding) => claims.filter((claim) => !decided.has(claim)).length
    const best = left.reduce((most, other) => (newly(other) > newly(most) ? other : most))
    for (const claim of best.claims ?? []) decided.add(claim)
    order.push(best.name)
    left.splice(left.indexOf(best), 1)
  }
  return order
}
