/** When requests are due. The schedule is absolute: nothing that happens while it runs can move it. */
import { seededRandom } from '../../../harness/protocol/random.js'
import type { Spec } from './spec.js'

type Schedule = Pick<Spec, 'durationMs' | 'arrival' | 'seed'> & { readonly ratePerSecond: number }

/**
 * Due times in µs from the start, ascending, in shared memory.
 *
 * There are always `rate × duration` of them, rounded. Poisson arrivals are therefore a Poisson process given its
 * count, which is uniform order statistics (Ross, Stochastic Processes, §2.3): gaps are exponential, and trials of
 * different seeds still ask for the same number of requests.
 */
export function dueTimes({ ratePerSecond, durationMs, arrival, seed }: Schedule): Float64Array {
  const count = Math.max(1, Math.round((ratePerSecond * durationMs) / 1000))
  const dues = new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT))
  if (arrival === 'uniform') {
    for (let i = 0; i < count; i++) dues[i] = (i * 1e6) / ratePerSecond
    return dues
  }
  const random = seededRandom(seed)
  const gap = (): number => -Math.log(1 - random())
  let sum = 0
  for (let i = 0; i < count; i++) dues[i] = sum += gap()
  const scale = (durationMs * 1000) / (sum + gap())
  for (let i = 0; i < count; i++) dues[i] = (dues[i] as number) * scale
  return dues
}

/** Every `step`th due time from `first`: the share of one of `step` senders. */
export function shareOf(dues: Float64Array, first: number, step: number): Float64Array {
  if (step === 1) return dues
  const share = new Float64Array(Math.max(0, Math.ceil((dues.length - first) / step)))
  for (let i = 0; i < share.length; i++) share[i] = dues[first + i * step] as number
  return share
}
