/** A host whose truth is known: noise as hosts make it, to try the statistics on. */
import type { RandomStream } from '../random.js'

/** How a host disturbs what is measured on it; all spreads are standard deviations of the logarithm. */
export interface HostNoise {
  readonly name: string
  /** A trial's own spread at the median. */
  readonly own: number
  /** Share of the own spread's variance that is skewed to the right (squares of normals, skewness 2.8). */
  readonly skewedShare: number
  /** Chance of a burst of foreign work in a trial, and its largest size in own spreads. */
  readonly burstChance: number
  readonly burstSize: number
  /** Spread of the slow swing that all trials share, and the trials that it takes to forget itself. */
  readonly swing: number
  readonly memoryTrials: number
  /** Rise of everything from the first round to the last. */
  readonly drift: number
  /** Share of 1 000 requests that fail in each trial, by chance: what it costs is charged to those that were answered. */
  readonly failing?: number
  /** The step in which everything is read, in the unit of the metrics. Absent: as fine as it is. */
  readonly step?: number
}

const quiet: HostNoise = {
  name: 'quiet',
  own: 0.02,
  skewedShare: 0,
  burstChance: 0,
  burstSize: 0,
  swing: 0,
  memoryTrials: 1,
  drift: 0,
}
const skewed: HostNoise = { ...quiet, own: 0.03, skewedShare: 0.5 }
const bursts = { burstChance: 0.05, burstSize: 6 }

export const hostNoises = {
  quiet,
  skewed: { ...skewed, ...bursts, name: 'skewed, bursts' },
  restless: {
    ...skewed,
    ...bursts,
    name: 'skewed, bursts, swinging, drifting',
    swing: 0.03,
    memoryTrials: 6,
    drift: 0.1,
  },
  /** Read by a clock of 0.1 ms, half of what the baseline takes. */
  stepped: { ...quiet, name: 'quiet, read in steps of 0.1 ms', step: 0.1 },
  /** Ticks of 10 ms in a window of one second at 1 000 requests: a twentieth of the baseline. */
  ticks: { ...skewed, name: 'skewed, read in ticks', step: 0.01 },
  outliers: { ...quiet, name: 'quiet, one trial in fifty far off', burstChance: 0.02, burstSize: 60 },
  /** The swing lasts: what a round shares with the next correlates by 0.82, with the fifth after it by 0.37. */
  correlated: { ...quiet, name: 'quiet, rounds correlate by a slow swing', swing: 0.08, memoryTrials: 25 },
  failing: { ...skewed, name: 'skewed, one request in twenty fails', failing: 0.05 },
} satisfies Record<string, HostNoise>

/** A metric of the simulated trials: its true value for each arm, and how much noisier than a median it is. */
export interface SimulatedMetric {
  readonly name: string
  /** True value of each arm, without noise. */
  readonly truths: readonly number[]
  readonly spread: number
}

/**
 * Metrics of one trial share two thirds of its own noise, as percentiles of one window do. The swing is an
 * Ornstein–Uhlenbeck process over trials: pairing within a round takes most of it away, not all.
 */
export function simulateHost(noise: HostNoise, metrics: readonly SimulatedMetric[], stream: RandomStream) {
  const arms = metrics[0]?.truths.length ?? 0
  const kept = Math.exp(-1 / noise.memoryTrials)
  let swing = stream.normal()
  const own = () => {
    const skewed = (stream.normal() ** 2 - 1) / Math.SQRT2
    const body = Math.sqrt(1 - noise.skewedShare) * stream.normal() + Math.sqrt(noise.skewedShare) * skewed
    const burst = stream.real() < noise.burstChance ? noise.burstSize * stream.real() : 0
    return body + burst
  }
  return {
    /** Runs every arm once, in random order. */
    round(progress: number) {
      const order = shuffled(arms, stream)
      const values = metrics.map(() => new Array<number>(arms).fill(0))
      let slowness = 0
      for (const arm of order) {
        swing = kept * swing + Math.sqrt(1 - kept * kept) * stream.normal()
        const shared = noise.swing * swing + noise.drift * progress
        slowness += Math.exp(shared) / arms
        const common = own()
        const charged = failures(noise.failing, stream)
        metrics.forEach(({ truths, spread }, metric) => {
          const trial = noise.own * spread * (Math.sqrt(2 / 3) * common + Math.sqrt(1 / 3) * own())
          const row = values[metric] as number[]
          const value = (truths[arm] as number) * Math.exp(shared + trial) * charged
          row[arm] = noise.step === undefined ? value : Math.round(value / noise.step) * noise.step
        })
      }
      // metric → arm → value; and how slow the host was, as a multiple, by swing and drift.
      return { values, slowness }
    },
  }
}

/** What failing requests make of a figure per answered request, against what their mean share makes of it. */
function failures(share: number | undefined, stream: RandomStream): number {
  if (share === undefined) return 1
  const failed = share + Math.sqrt((share * (1 - share)) / 1_000) * stream.normal()
  return (1 - share) / (1 - failed)
}

function shuffled(count: number, stream: RandomStream): number[] {
  const order = Array.from({ length: count }, (_, index) => index)
  for (let last = count - 1; last > 0; last--) {
    const other = stream.below(last + 1)
    ;[order[last], order[other]] = [order[other] as number, order[last] as number]
  }
  return order
}
