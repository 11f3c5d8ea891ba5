/** What is read of what runs: counters of components and of the host, proofs of path, facts for the report. */
import { z } from 'zod'
import { amount, name, number, object, text } from '../shape.js'

/** A thing worth writing into the report about where this ran. */
export const factSchema = object({
  name,
  value: text,
  /** It names a program that carries traffic: a run that goes on needs the same one. */
  program: z.literal(true).exactOptional(),
})
export interface Fact extends z.infer<typeof factSchema> {}

/** Cumulative counters of one component at one instant; of a window, what they rose by. Absent means that this source cannot tell. */
export const usageReadingSchema = object({
  cpuNs: number,
  cpuUserNs: number.exactOptional(),
  cpuSystemNs: number.exactOptional(),
  rssBytes: number.exactOptional(),
  pssBytes: number.exactOptional(),
  peakRssBytes: number.exactOptional(),
  voluntarySwitches: number.exactOptional(),
  involuntarySwitches: number.exactOptional(),
  throttledPeriods: number.exactOptional(),
  /** Calls of the read(2) and write(2) families: `syscr` and `syscw` of proc_pid_io(5). Not recv, send or epoll. */
  readSyscalls: number.exactOptional(),
  writeSyscalls: number.exactOptional(),
  /** Name of the probe, for example `cgroup-v2`, `schedstat`, `ticks`. */
  source: text,
  resolutionNs: amount,
})
export interface UsageReading extends z.infer<typeof usageReadingSchema> {}

/** Cumulative counters of the host at one instant, summed over its CPUs. */
export interface HostReading {
  readonly userNs: number
  readonly systemNs: number
  readonly softirqNs: number
  readonly irqNs: number
  readonly idleNs: number
  readonly iowaitNs: number
  readonly stealNs: number
  readonly cpus: number
  /** Monotonic instant of the reading. */
  readonly atNs: number
  /** CPU of the kernel's threads that take interrupts' work over; absent where they cannot be seen. */
  readonly ksoftirqdNs?: number
  /** CPU of this process: the orchestrator is on the host, too, and must be accounted for. */
  readonly orchestratorCpuNs?: number
}

/** Counters that a hop exposes about the traffic it carried; keys are those of `HopCounter`. */
export type HopCounters = Readonly<Partial<Record<HopCounter, number>>> & {
  /** SPIFFE ids of peers seen on mutual TLS, when the hop tells. */
  readonly peers?: readonly string[]
}

export type HopCounter =
  | 'requests'
  | 'downstreamConnections'
  | 'upstreamConnections'
  | 'hboneStreams'
  | 'tlsHandshakesServer'
  | 'tlsHandshakesClient'
  /** Of the handshakes that were made, those that resumed a session. */
  | 'tlsResumptionsClient'
  | 'receivedBytes'
  | 'sentBytes'

/** Everything read at one edge of a window. */
export interface Edge {
  readonly host: HostReading
  readonly usage: Readonly<Record<string, UsageReading>>
  readonly counters: Readonly<Record<string, HopCounters>>
}

/** One checked statement about the path that traffic took. */
export const proofCheckSchema = object({
  /** For example `requests at waypoint`. */
  name,
  ok: z.boolean(),
  expected: text,
  actual: text,
})
export interface ProofCheck extends z.infer<typeof proofCheckSchema> {}
