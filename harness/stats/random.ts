/** Seeded streams of random numbers, one for each estimate, so that no estimate depends on which came before it. */

/** Uniform integers in [0, bound), and reals in [0, 1). */
export interface RandomStream {
  below(bound: number): number
  real(): number
  normal(): number
}

/**
 * A stream of its own for every (seed, name): sfc32 (Chris Doty-Humphrey, PractRand, public domain), 128 bits of
 * state, seeded with an FNV-1a hash of the name.
 */
export function randomStream(seed: number, name: string): RandomStream {
  let hash = 0x811c9dc5 ^ (seed >>> 0)
  for (let index = 0; index < name.length; index++)
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  let a = hash | 0
  let b = (seed >>> 0) | 0
  let c = Math.imul(hash, 0x9e3779b9) | 0
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11) | 0
    c = (c + sum) | 0
    return sum >>> 0
  }
  for (let round = 0; round < 15; round++) next()
  let spare: number | undefined
  const real = () => next() / 4294967296
  return {
    // The bias of scaling 32 bits down to a few hundred is below 1e-7.
    below: (bound) => Math.floor((next() / 4294967296) * bound),
    real,
    normal() {
      if (spare !== undefined) {
        const value = spare
        spare = undefined
        return value
      }
      for (;;) {
        const u = 2 * real() - 1
        const v = 2 * real() - 1
        const s = u * u + v * v
        if (s === 0 || s >= 1) continue
        const factor = Math.sqrt((-2 * Math.log(s)) / s)
        spare = v * factor
        return u * factor
      }
    },
  }
}
