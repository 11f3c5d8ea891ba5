/** The percentile curve of a cell: all of its requests together, with a band from trial to trial. */
import type { Cell, CurvePoint, Trial } from '../../model.js'
import { alignBuckets, mergeRows, percentileOf, withSlowest } from '../../stats/histogram.js'
import type { Settings } from '../../stats/paired.js'
import { randomStream } from '../../stats/random.js'
import { studentQuantile } from '../../stats/student.js'
import { level } from '../estimates.js'
import { bucketsOf, failedIn } from '../readings.js'

const curvePercentiles = [
  1, 5, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.995, 99.999,
]
const curveResamples = 200
/** Fewer requests than these beyond a percentile cannot tell where it lies. */
const fewestBeyond = 5

/**
 * Percentile curve of all valid trials' requests, merged by adding counts. Its band comes from drawing whole trials
 * again (a cluster bootstrap), since requests of one trial share that trial's luck. Requests that failed are charged the
 * time-out, as in every other percentile.
 */
export function curveOf(valid: readonly Trial[], cell: Cell, settings: Settings): CurvePoint[] {
  const kind = valid.some((trial) => bucketsOf(trial, 'response')) ? 'response' : 'service'
  const timeoutUs = cell.load.timeoutMs * 1000
  const histograms = valid.flatMap((trial) => {
    const buckets = bucketsOf(trial, kind)
    const failed = buckets ? failedIn(trial, buckets.total) : 0
    return buckets ? [failed > 0 ? withSlowest(buckets, timeoutUs, failed) : buckets] : []
  })
  const n = histograms.length
  if (n === 0) return []
  const table = alignBuckets(histograms)
  const merged = mergeRows(table, new Array<number>(n).fill(1))
  const points = curvePercentiles.filter((at) => merged.total * (1 - at / 100) >= fewestBeyond)
  const values = points.map((at) => percentileOf(merged, at) / 1000)
  if (n < 2) return points.map((percentile, index) => ({ percentile, ms: values[index] as number }))
  const stream = randomStream(settings.seed, `${cell.id}|curve`)
  const squares = new Float64Array(points.length)
  const times = new Int32Array(n)
  for (let resample = 0; resample < curveResamples; resample++) {
    times.fill(0)
    for (let draw = 0; draw < n; draw++) {
      const index = stream.below(n)
      times[index] = (times[index] as number) + 1
    }
    const mixture = mergeRows(table, times)
    points.forEach((at, index) => {
      const off = Math.log(percentileOf(mixture, at) / 1000 / (values[index] as number))
      squares[index] = (squares[index] as number) + off * off
    })
  }
  const t = studentQuantile(1 - (1 - level) / 2, n - 1)
  return points.map((percentile, index) => {
    const ms = values[index] as number
    const spread = Math.min(27, t * Math.sqrt((squares[index] as number) / curveResamples))
    return { percentile, ms, lowMs: ms * Math.exp(-spread), highMs: ms * Math.exp(spread) }
  })
}
