/** Correction for looking at many comparisons at once. */

/**
 * Holm's step-down adjustment (Holm 1979): p-values such that calling those below α different is wrong about any of
 * them with probability at most α, whatever their dependence. The order of the input is kept.
 */
export function holm(pValues: readonly number[]): number[] {
  const m = pValues.length
  const order = pValues
    .map((_, index) => index)
    .sort((a, b) => (pValues[a] as number) - (pValues[b] as number))
  const adjusted = new Array<number>(m)
  let largest = 0
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (m - rank) * (pValues[index] as number)))
    adjusted[index] = largest
  })
  return adjusted
}
