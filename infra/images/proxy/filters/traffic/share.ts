/** Picks an exact share of requests without randomness, so that what was injected is known to the request. */

/** Returns a function that is true for `percent` % of its calls, evenly spread, the first one included. */
export function everyShare(percent: number): () => boolean {
  let sum = 100 - Math.min(percent, 100)
  return () => {
    sum += percent
    if (sum < 100) return false
    sum -= 100
    return true
  }
}
