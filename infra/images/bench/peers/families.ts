/** What the bench compares: families of subjects that stand for the same thing, their loads, and the bars they have to meet. */
import { framed } from '../../kit/grpc/framing.js'
import type { Workspace } from '../../kit/testing.js'
import { type Driver, h2load, openLoop, transfer, wrk } from './drivers.js'
import type { Applications } from './programs.js'
import { cpuNs } from '../counters.js'
import type { RunningSubject, Subject } from './subject.js'
import { h2Subjects, http1Subjects, l4Subjects, mtlsSubjects } from './subjects.js'

export interface Load {
  readonly name: string
  readonly driver: Driver
  /** What is charged; `request` by default. */
  readonly unit?: 'message' | 'GiB'
  /** Messages of a call, where figures are for each; 1 by default. */
  readonly unitsPerRequest?: number
  /** What the family's second subject may cost, as ratios to others' CPU per request, by their names. */
  readonly bars?: Ratios
  /** Left out by `--quick`. */
  readonly isSlow?: boolean
}

export interface Family {
  readonly name: string
  readonly application: Exclude<keyof Applications, 'stop'>
  /** The first is the peer that the others are compared with. */
  readonly subjects: readonly Subject[]
  readonly loads: readonly Load[]
  /** Memory with 1 000 connections is measured too (HTTP/1.1). */
  readonly hasMemory?: true
}

type Ratios = Readonly<Record<string, number>>

export interface Round {
  /** µs of CPU per request and hop. */
  readonly hopCpuUs: readonly number[]
  readonly requestsPerSecond: number
  readonly errors: number
}

/** One window of a load on a subject, and the CPU that each of its hops used in it. */
export async function measure(load: Load, running: RunningSubject, seconds: number): Promise<Round> {
  const edges: number[][] = []
  const outcome = await load.driver(running.entry, seconds, () => {
    edges.push(running.hops.map(({ pid }) => cpuNs(pid)))
  })
  const [before = [], after = []] = edges
  const { unitsPerRequest = 1 } = load
  const units = outcome.requests * unitsPerRequest
  return {
    hopCpuUs: after.map((ns, i) => (ns - (before[i] as number)) / 1000 / units),
    requestsPerSecond: outcome.requestsPerSecond * unitsPerRequest,
    errors: outcome.errors,
  }
}

/** Messages of a streaming call, each of 1 KiB with its prefix. */
const messages = 64

/** Loads that several families share. */
function createLoads(ratePerSecond: number, largeBytes: number) {
  const saturated = (connections: number, bars: Ratios = {}): Load => ({
    name: `saturated, HTTP/1.1 over ${connections} connections, 1 KiB replies`,
    driver: wrk(connections),
    bars,
  })
  const slow = (bars: Ratios = {}): Load => ({
    name: `${ratePerSecond}/s, HTTP/1.1 over 64 connections, 1 KiB replies`,
    driver: openLoop({ connections: 64, ratePerSecond, protocol: 'http1', payloadBytes: 1024 }),
    bars,
    isSlow: true,
  })
  const large = (bars: Ratios = {}): Load => ({
    name: `a body of ${(largeBytes / 2 ** 20).toFixed(0)} MiB`,
    driver: transfer(largeBytes),
    unit: 'GiB',
    bars,
    isSlow: true,
  })
  const h2Load = (streams: number, what: string, bodyFile: string | undefined, bars: Ratios = {}): Load => ({
    name: `saturated, ${what} over 16 connections with ${streams} streams each`,
    driver: h2load({ connections: 16, streams, ...(bodyFile === undefined ? {} : { bodyFile }) }),
    bars,
  })
  const h2Slow = (protocol: 'h2' | 'grpc', what: string): Load => ({
    name: `${ratePerSecond}/s, ${what} over 64 connections`,
    // An empty message is the same to whoever echoes it as to the service that the engine calls.
    driver: openLoop({ connections: 64, ratePerSecond, protocol, payloadBytes: 0 }),
    isSlow: true,
  })
  return { saturated, slow, large, h2Load, h2Slow }
}

export function createFamilies(
  workspace: Workspace,
  ratePerSecond: number,
  largeBytes: number,
): readonly Family[] {
  const { saturated, slow, large, h2Load, h2Slow } = createLoads(ratePerSecond, largeBytes)
  const unary = workspace.write('unary.grpc', grpcMessage(64))
  const stream = workspace.write('stream.grpc', grpcMessage(1024 - 5).repeat(messages))
  const calls = Math.ceil(ratePerSecond / messages)
  const streaming = `gRPC calls of ${messages} messages of 1 KiB each way`
  return [
    {
      name: 'l7',
      application: 'http1',
      subjects: http1Subjects,
      loads: [saturated(16, { haproxy: 1.15 }), slow({ haproxy: 1.2 }), large()],
      hasMemory: true,
    },
    {
      name: 'mtls',
      application: 'http1',
      subjects: mtlsSubjects,
      loads: [saturated(16), slow(), large()],
      hasMemory: true,
    },
    {
      name: 'h2',
      application: 'h2',
      subjects: h2Subjects,
      loads: [
        h2Load(1, 'h2c without a body', undefined, { Envoy: 1, haproxy: 2.5 }),
        h2Load(16, 'h2c without a body', undefined, { Envoy: 1, haproxy: 4 }),
        h2Slow('h2', 'h2c without a body'),
      ],
    },
    {
      name: 'grpc',
      application: 'grpc',
      subjects: h2Subjects,
      loads: [
        h2Load(1, 'unary gRPC calls', unary, { Envoy: 1 }),
        h2Load(16, 'unary gRPC calls', unary, { Envoy: 1 }),
        h2Slow('grpc', 'unary gRPC calls'),
      ],
    },
    {
      name: 'grpc-stream',
      application: 'grpc',
      subjects: h2Subjects,
      loads: [
        { ...h2Load(1, streaming, stream), unit: 'message', unitsPerRequest: messages },
        {
          // A call a second on each connection: a window of whole seconds holds whole calls.
          name: `${calls * messages} messages/s, ${streaming} over ${calls} connections`,
          driver: h2load({ connections: calls, streams: 1, ratePerSecond: calls, bodyFile: stream }),
          unit: 'message',
          unitsPerRequest: messages,
          isSlow: true,
        },
      ],
    },
    {
      name: 'l4',
      application: 'http1',
      subjects: l4Subjects,
      loads: [
        saturated(16, { 'haproxy TCP over TLS': 0.75 }),
        // On HBONE a connection is a stream.
        saturated(1),
        saturated(64),
        slow({ 'haproxy TCP over TLS': 1.1 }),
        large({ 'haproxy TCP over TLS': 1.2 }),
      ],
      hasMemory: true,
    },
  ]
}

/** A message with its prefix; all of it is ASCII. */
const grpcMessage = (bytes: number): string => framed(Buffer.alloc(bytes, 'm')).toString('latin1')
