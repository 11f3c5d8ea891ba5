/** Which trials are set against each other: those of one round that were measured side by side, and which of them are samples. */
import { mean } from '../../protocol/averages.js'
import type { ReadMetric } from '../../model.js'

/** round → value of one cell's trials, with the coming-up of their environment that each was measured in. */
export class Series extends Map<number, number> {
  readonly #environment: string
  readonly #stays = new Map<number, number>()

  constructor(environment = '') {
    super()
    this.#environment = environment
  }

  add(round: number, value: number, stay: number): void {
    this.set(round, value)
    this.#stays.set(round, stay)
  }

  stayIn(round: number): number {
    return this.#stays.get(round) ?? 0
  }

  /** Rounds of two environments are never side by side, and are paired all the same; those of one are, unless it came up anew. */
  isBeside(other: Series, round: number): boolean {
    return this.#environment !== other.#environment || this.stayIn(round) === other.stayIn(round)
  }

  /** The same rounds of the same processes with other values; without those that are no number. */
  map(value: (round: number, before: number) => number): Series {
    const mapped = new Series(this.#environment)
    for (const [round, before] of this) {
      const made = value(round, before)
      if (Number.isFinite(made)) mapped.add(round, made, this.stayIn(round))
    }
    return mapped
  }
}

export interface Paired {
  readonly rounds: readonly number[]
  /** Of each series, a value for each of the rounds. */
  readonly values: readonly (readonly number[])[]
  /** For each of the rounds the number of the processes that it was measured with: one number, one life of all of them. */
  readonly lives: readonly number[]
}

/**
 * Values of several cells in the rounds that all of them have. A round that was cut, so that some of it was measured before
 * its environment went down and the rest after it had come up again, is no pair: what it would compare was not measured side
 * by side.
 */
export function pairedSeries(...all: readonly Series[]): Paired {
  const [first, ...others] = all
  const rounds = [...(first?.keys() ?? [])].filter((round) =>
    others.every(
      (series, index) =>
        series.has(round) &&
        [first, ...others.slice(0, index)].every((before) => before?.isBeside(series, round)),
    ),
  )
  return {
    rounds,
    values: all.map((series) => rounds.map((round) => series.get(round) as number)),
    lives: livesOf(rounds, all),
  }
}

/** A sample begins where the processes of every series are others than all before. */
function livesOf(rounds: readonly number[], all: readonly Series[]): readonly number[] {
  const seen = all.map(() => new Set<number>())
  let life = -1
  return rounds.map((round) => {
    const stays = all.map((series) => series.stayIn(round))
    if (stays.every((stay, index) => !seen[index]?.has(stay))) life++
    stays.forEach((stay, index) => seen[index]?.add(stay))
    return life
  })
}

/** Independent samples of a metric among paired rounds. */
export interface Samples {
  readonly values: readonly (readonly number[])[]
  /** How many of them decide: processes where one lives through many rounds, however many those are. */
  readonly n: number
}

/**
 * What of paired rounds is to be judged. Rounds of one process are no samples of what a process takes: where there are
 * `fewest` lives or more, each gives the mean of its rounds. Fewer leave the rounds as they are, to be shown and not judged.
 */
export function samplesOf({ sample }: Pick<ReadMetric, 'sample'>, paired: Paired, fewest: number): Samples {
  const { rounds, values, lives } = paired
  if (sample === 'round') return { values, n: rounds.length }
  const n = new Set(lives).size
  if (n < fewest) return { values, n }
  return {
    values: values.map((series) =>
      Array.from({ length: n }, (_, life) => mean(series.filter((_value, index) => lives[index] === life))),
    ),
    n,
  }
}
