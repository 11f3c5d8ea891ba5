/** The metrics that every experiment may name. One of an experiment's own stands in that experiment's file. */
import type { AddedMetric, Estimate, Metric, ReadMetric, Timing, TrialReading } from '../harness/model.js'
import { defined } from '../harness/model/defined.js'
import { engineOf } from '../harness/protocol/engines.js'

type Usual = 'better' | 'sample'
type Described<Id extends string> = Omit<ReadMetric<Id>, Usual> & Partial<Pick<ReadMetric, Usual>>

/** Less is better and each round is a sample, unless it says otherwise. Keeps the id's own type, so that a typo in a config does not compile. */
export const metric = <const Id extends string>(described: Described<Id>): ReadMetric<Id> => ({
  ...{ better: 'less', sample: 'round' },
  ...described,
})

function added<const Id extends string>(id: Id, title: string, addedTo: ReadMetric): AddedMetric<Id> {
  const { unit, better, percentiles } = addedTo
  return { id, title, unit, better, ...defined({ percentiles }), travels: true, addedTo }
}

const percentiles = [50, 90, 99, 99.9]
/** Connections are opened at a low rate: a trial has too few for more. */
const fewPercentiles = [50, 99]
const gib = 2 ** 30
export const mib = 2 ** 20
/** Pages are what memory is counted in. */
export const pageMib = 4096 / mib

/** What all times have in common: histograms of whole microseconds with three significant digits, or of what their engine can tell. */
const timed = (kind: Timing) => ({
  unit: 'ms' as const,
  read: (reading: TrialReading, percentile: number) => reading.percentileMs(kind, percentile),
  resolution: (reading: TrialReading, percentile: number) =>
    Math.max(stepUsOf(reading), reading.percentileMs(kind, percentile) ?? 0) / 1000,
})

const stepUsOf = ({ trial: { load } }: TrialReading) => (load && engineOf(load.engine).stepUs) ?? 1

/**
 * ms of CPU per 1 000 answered requests, which are µs per request, from ns in a window: work on what failed is charged
 * to what did not. Undefined when nothing was answered, or the ns are.
 */
export function per1000(
  { trial }: Pick<TrialReading, 'trial'>,
  cpuNs: number | undefined,
): number | undefined {
  const answered = trial.load?.ok ?? 0
  return answered > 0 && cpuNs !== undefined ? cpuNs / 1e3 / answered : undefined
}

/** Seconds of CPU per GiB of payload, from ns in a window; undefined when nothing was moved. */
export function perGib({ trial: { load } }: Pick<TrialReading, 'trial'>, cpuNs: number): number | undefined {
  return load && load.bodyBytes > 0 ? (cpuNs / 1e9 / load.bodyBytes) * gib : undefined
}

/** Payload in Gb/s (10⁹ bits). */
function gigabitsPerSecond(bodyBytes: number, windowMs: number): number {
  return windowMs > 0 ? (bodyBytes * 8) / 1e6 / windowMs : 0
}

export const serviceTime = metric({
  ...timed('service'),
  id: 'latency.service',
  title: 'Service time',
  percentiles,
  ofCell: ({ service }) => service,
})

export const responseTime = metric({
  ...timed('response'),
  id: 'latency.response',
  title: 'Response time',
  percentiles,
  awaited: [50, 99],
  // Tails are noisy: a percentile beyond the median has to be asked for.
  gate: { practical: 0.1, percentile: 50 },
  substitute: serviceTime,
  ofCell: ({ response }) => response,
  openMetrics: {
    name: 'meshbench_response_seconds',
    unit: 'seconds',
    help: 'Response time from due, by percentile.',
    factor: 1e-3,
  },
})

export const addedTime = added('latency.added', 'Added response time', responseTime)

export const throughput = metric({
  id: 'throughput',
  title: 'Throughput',
  unit: 'req/s',
  better: 'more',
  awaited: true,
  gate: { practical: 0.1 },
  read: ({ trial }) => trial.load?.achievedRatePerSecond,
  resolution: ({ trial }) => 1000 / Math.max(1, trial.load?.windowMs ?? 0),
  ofCell: ({ throughput }) => throughput,
  openMetrics: {
    name: 'meshbench_throughput_requests_per_second',
    help: 'Requests answered per second.',
    factor: 1,
  },
})

/** Of what can be attributed to the arm; see `TrialBill.attributedNs`. */
export const cpu = metric({
  id: 'cpu.per1000Requests',
  title: 'CPU per 1\u202f000 requests',
  unit: 'ms',
  awaited: true,
  gate: { practical: 0.05 },
  read: (reading) => per1000(reading, reading.bill?.attributedNs),
  resolution: (reading) => per1000(reading, reading.bill?.attributedStepNs) ?? 0,
  ofCell: ({ cpu }) => cpu,
  // CPU ms per 1 000 requests are CPU µs per request.
  openMetrics: {
    name: 'meshbench_cpu_seconds_per_request',
    help: 'CPU seconds per request without the generator.',
    factor: 1e-6,
  },
})

export const addedCpu = added('cpu.added', 'Added CPU per 1\u202f000 requests', cpu)

/** Compared: hops and application, since a baseline has no hops. Of a cell: the hops. One process lives through all rounds. */
export const memory = metric({
  id: 'memory.rss',
  title: 'Memory of the hops',
  unit: 'MiB',
  sample: 'process',
  read({ bill }) {
    const known = [bill?.hopsRssBytes, bill?.applicationRssBytes].filter((bytes) => bytes !== undefined)
    return known.length === 0 ? undefined : known.reduce((sum, bytes) => sum + bytes, 0) / mib
  },
  resolution: () => pageMib,
  ofCell: ({ hopMemory }) => hopMemory,
  openMetrics: {
    name: 'meshbench_hop_memory_bytes',
    unit: 'bytes',
    help: 'Resident memory of the hops.',
    factor: mib,
  },
})

export const addedMemory = added('memory.added', 'Added memory', memory)

export const errorShare = metric({
  id: 'errors.share',
  title: 'Share of errors',
  unit: 'share',
  travels: true,
  counted: true,
  read: ({ trial: { load } }) => load && (load.sent - load.ok) / load.sent,
  resolution: ({ trial }) => 1 / Math.max(1, trial.load?.sent ?? 0),
  ofCell: ({ errorShare: share, trials, cell }) =>
    counted(share, trials.ok + trials.failed > 0 ? trials.ok + trials.invalid + trials.failed : 0, cell),
})

/** Its bounds are the count itself. */
function counted(share: number, n: number, cell: string): Estimate | undefined {
  if (n === 0) return undefined
  return {
    value: share,
    low: share,
    high: share,
    unit: 'share',
    level: 0.95,
    n,
    method: 'counted',
    cells: [cell],
  }
}

export const connectTime = metric({
  ...timed('connect'),
  id: 'connect.time',
  title: 'Time to connect',
  percentiles: fewPercentiles,
  awaited: [50],
  ofCell: ({ connect }) => connect?.time,
  openMetrics: {
    name: 'meshbench_connect_seconds',
    unit: 'seconds',
    help: 'Time until a new connection stood, by percentile.',
    factor: 1e-3,
  },
})

export const firstByte = metric({
  ...timed('firstByte'),
  id: 'connect.firstByte',
  title: 'Time to the first byte on a new connection',
  percentiles: fewPercentiles,
  awaited: [50],
  ofCell: ({ connect }) => connect?.firstByte,
  openMetrics: {
    name: 'meshbench_first_byte_seconds',
    unit: 'seconds',
    help: 'Time from when a new connection was begun to the first byte of its reply, by percentile.',
    factor: 1e-3,
  },
})

export const transferRate = metric({
  id: 'stream.throughput',
  title: 'Throughput of long transfers',
  unit: 'Gb/s',
  better: 'more',
  awaited: true,
  read: ({ trial: { load } }) => load && gigabitsPerSecond(load.bodyBytes, load.windowMs),
  resolution: ({ trial }) => gigabitsPerSecond(1, trial.load?.windowMs ?? 0),
  ofCell: ({ stream }) => stream?.throughput,
  openMetrics: { name: 'meshbench_stream_bits_per_second', help: 'Payload of long transfers.', factor: 1e9 },
})

export const cpuPerGib = metric({
  id: 'cpu.perGib',
  title: 'CPU per GiB of long transfers',
  unit: 's',
  awaited: true,
  read: (reading) => reading.bill && perGib(reading, reading.bill.attributedNs),
  resolution: (reading) => perGib(reading, reading.bill?.attributedStepNs ?? 0) ?? 0,
  ofCell: ({ stream }) => stream?.cpuPerGib,
  openMetrics: {
    name: 'meshbench_stream_cpu_seconds_per_byte',
    help: 'CPU seconds per byte of payload.',
    factor: 1 / gib,
  },
})

/** In the order in which messages offer them. */
export const commonMetrics = [
  responseTime,
  serviceTime,
  addedTime,
  throughput,
  cpu,
  addedCpu,
  memory,
  addedMemory,
  errorShare,
  connectTime,
  firstByte,
  transferRate,
  cpuPerGib,
] as const satisfies readonly Metric[]
