/** When to look at a run that goes on until it is precise, and what the looking costs. */

/** Fewer rounds than these know their own spread too badly to stop by it. */
const fewestRoundsToStop = 8

export interface RoundLimits {
  readonly min: number
  readonly max: number
}

/** Rounds after which the first look is taken. */
export function firstLook({ min }: RoundLimits): number {
  return Math.max(min, fewestRoundsToStop)
}

/**
 * Rounds after which precision is judged: the first look, then every quarter more, since each look is one more chance
 * to stop on a spread that is small by luck.
 */
export function lookRounds(limits: RoundLimits): readonly number[] {
  const looks: number[] = []
  for (let round = firstLook(limits); round < limits.max; round += Math.ceil(round / 4)) looks.push(round)
  return looks
}

export function isLook(round: number, limits: RoundLimits): boolean {
  return lookRounds(limits).includes(round)
}

/**
 * Degrees of freedom of an interval over `n` rounds.
 *
 * A run that may stop early stops at its width, not at its finding; but a width that is small by luck stops it sooner,
 * and plain t intervals then cover 93 to 94 %. Stein's two-stage procedure (Stein 1945) takes the quantile of the first
 * look's degrees of freedom however many rounds follow, which covers 95 to 96 % where a run stops but 98 % where it
 * goes on to its end. The geometric mean of both covers 94 to 97 % in either case; see harness/stats/simulation/coverage.ts.
 */
export function degreesOfFreedom(n: number, limits: RoundLimits): number {
  const own = Math.max(1, n - 1)
  const first = firstLook(limits) - 1
  const stoppable = limits.max > limits.min && limits.max > first + 1
  return stoppable && own > first ? Math.round(Math.sqrt(own * first)) : own
}
