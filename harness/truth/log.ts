/** What the server of known truth logged, and the figures that follow from it. Pure. */

/** One request as the server saw it; times in µs from the first record. */
export interface SeenRequest {
  readonly connection: number
  /** How manieth of its connection, from 0. */
  readonly index: number
  /** The kernel's timestamp of the segment that completed it. */
  readonly arrivedUs: number
  /** When its reply was handed to the kernel; undefined when the client had gone. */
  readonly sentUs: number | undefined
  readonly fate: (typeof fates)[number]
}

export interface TruthLog {
  /** In the order in which they were read. */
  readonly requests: readonly SeenRequest[]
  readonly connectionsOpened: number
  /** Requests that were unanswered when their connection ended. */
  readonly cutOff: number
}

const fates = ['whole', 'closing', 'error', 'reset', 'lost'] as const
const kinds = { request: 0, opened: 1, closed: 2 } as const
const recordBytes = 48
/** Requests closer than this came in one burst: nothing but a batch of writes is as fast. */
const burstGapUs = 50

/** Reads the records of infra/images/bench/truth/server.c. Throws when the bytes are not whole records. */
export function parseLog(bytes: Buffer): TruthLog {
  if (bytes.length % recordBytes !== 0) throw new Error(`a log of ${bytes.length} bytes is cut short`)
  const requests: SeenRequest[] = []
  let connectionsOpened = 0
  let cutOff = 0
  const base = bytes.length > 0 ? bytes.readBigUInt64LE(8) : 0n
  const timeUs = (at: number) => Number(bytes.readBigUInt64LE(at) - base) / 1000
  for (let at = 0; at < bytes.length; at += recordBytes) {
    const kind = bytes.readUInt32LE(at)
    const fate = bytes.readUInt32LE(at + 36)
    if (kind === kinds.opened) connectionsOpened++
    else if (kind === kinds.closed) cutOff += fate
    else if (kind === kinds.request)
      requests.push({
        connection: bytes.readUInt32LE(at + 4),
        index: bytes.readUInt32LE(at + 32),
        arrivedUs: timeUs(at + 8),
        sentUs: bytes.readBigUInt64LE(at + 24) === 0n ? undefined : timeUs(at + 24),
        fate: fates[fate] ?? 'lost',
      })
  }
  return { requests, connectionsOpened, cutOff }
}

/** Smallest value that at least `percentile` per cent of the values do not exceed; NaN of none. */
export function percentileOf(values: readonly number[], percentile: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percentile / 100) * sorted.length - 1e-6) - 1)] ?? Number.NaN
}

/** The log without those that came first. */
export function withoutFirst(log: TruthLog, count: number): TruthLog {
  if (count === 0) return log
  return { ...log, requests: [...log.requests].sort((a, b) => a.arrivedUs - b.arrivedUs).slice(count) }
}

/** From arrival to reply, in µs, of those that were answered. */
export function serviceTimes({ requests }: TruthLog): number[] {
  return requests.flatMap(({ arrivedUs, sentUs }) => (sentUs === undefined ? [] : [sentUs - arrivedUs]))
}

/**
 * From when a request was due, in µs, of those that were answered: the n-th is due n intervals after the first one
 * arrived, and the n-th reply is its reply. A request that came before it was due waited as long as it was served.
 */
export function responseTimes({ requests }: TruthLog, ratePerSecond: number): number[] {
  const start = Math.min(...requests.map(({ arrivedUs }) => arrivedUs))
  const answered = requests.flatMap(({ arrivedUs, sentUs }) =>
    sentUs === undefined ? [] : [{ arrivedUs, sentUs }],
  )
  return answered
    .sort((a, b) => a.sentUs - b.sentUs)
    .map(({ arrivedUs, sentUs }, index) =>
      Math.max(sentUs - arrivedUs, sentUs - start - (index * 1e6) / ratePerSecond),
    )
}

/**
 * How late each request came, in µs, by the schedule that fits the arrivals: even intervals, of which as many arrivals are
 * early as late. Negative: early.
 */
export function latenesses({ requests }: TruthLog, ratePerSecond: number): number[] {
  const offsets = requests
    .map(({ arrivedUs }) => arrivedUs)
    .sort((a, b) => a - b)
    .map((arrivedUs, index) => arrivedUs - (index * 1e6) / ratePerSecond)
  const middle = percentileOf(offsets, 50)
  return offsets.map((offset) => offset - middle)
}

/** Requests per second between the first and the last arrival. */
export function rateOf({ requests }: TruthLog): number {
  const times = requests.map(({ arrivedUs }) => arrivedUs)
  const spanUs = times.length < 2 ? 0 : Math.max(...times) - Math.min(...times)
  return spanUs > 0 ? ((times.length - 1) / spanUs) * 1e6 : 0
}

/** How requests follow each other: the share of gaps of a burst, and the largest burst. */
export function arrivalsOf({ requests }: TruthLog): {
  readonly burstShare: number
  readonly largestBurst: number
} {
  const times = requests.map(({ arrivedUs }) => arrivedUs).sort((a, b) => a - b)
  let [close, burst, largestBurst] = [0, 1, Math.min(1, times.length)]
  for (let index = 1; index < times.length; index++) {
    const gap = (times[index] as number) - (times[index - 1] as number)
    burst = gap < burstGapUs ? burst + 1 : 1
    if (gap < burstGapUs) close++
    largestBurst = Math.max(largestBurst, burst)
  }
  return { burstShare: times.length > 1 ? close / (times.length - 1) : 0, largestBurst }
}

export function countFate({ requests }: TruthLog, fate: SeenRequest['fate']): number {
  return requests.filter((request) => request.fate === fate).length
}
