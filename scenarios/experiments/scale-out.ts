/** What does one more unit of L7 capacity take: of the mesh, and of the application that comes along with a sidecar? */
import { z } from 'zod'
import { defined } from '../../harness/model/defined.js'
import type { LabelledLoad } from '../../harness/model.js'
import { metric, throughput } from '../metrics.js'
import { called, openLoop, sidecarsOrNone, type Experiment } from './experiment.js'
import { connections, count, openLoopSettings, rate, rounds, steps } from './load-settings.js'
import { coresIn, memoryIn, sizes } from './resources.js'

const settings = z
  .strictObject({
    /** Steps: each with so many copies of what works at L7, and of the application where that is a sidecar. */
    units: steps(32).default([1, 2, 3, 4]),
    /** Of all units together: it does not grow with them. */
    ratePerSecond: rate.default(400),
    ...openLoopSettings({ warmupMs: 200, durationMs: 1000 }),
    connections: connections.default(16),
    /** How often every step is measured. */
    rounds: rounds.default(6),
    /**
     * Cores that each L7 hop of a unit may use, on a platform that can limit them; the knee of each step is searched then.
     * Absent: units share the host's cores, so that none adds to what is carried.
     */
    cpusPerHop: z.number().min(0.05).max(16).optional(),
    /** What a step has to keep at its knee: this percentile of response times at or under so many ms. */
    slo: z
      .strictObject({
        /** Of response times, from due. */
        percentile: z.union([z.literal(50), z.literal(90), z.literal(99)]).default(90),
        /** What it may be at most. */
        latencyMs: z.number().positive().max(60_000).default(50),
      })
      .prefault({}),
    /** First rate that is tried for each unit of a step. */
    startPerUnit: rate.default(300),
    /** Trials of one step's search, at most. */
    maxProbes: count.max(200).default(8),
  })
  .refine(({ units, connections }) => Math.max(...units) <= connections, {
    path: ['connections'],
    message: 'each unit needs a connection',
  })

/** Tunnels are left out: a node has one of them for all of its waypoints. */
export const l7Memory = metric({
  id: 'scale-out.memory',
  title: 'Memory of all L7 hops',
  ...memoryIn((bill) => bill.l7MemoryBytes),
})

export const applicationMemory = metric({
  id: 'scale-out.application',
  title: 'Memory of the application',
  ...memoryIn((bill) => bill.applicationMemoryBytes),
})

const l7Cpu = metric({
  id: 'scale-out.cpu',
  title: 'CPU of all L7 hops',
  ...coresIn((bill) => bill.l7Ns),
})

export const scaleOut = {
  name: 'scale-out',
  question: 'What does one more unit of L7 capacity take, of the mesh and of the application?',
  settings,
  loads: ({ units, rounds: _, cpusPerHop, slo, startPerUnit, maxProbes, ...rest }) =>
    units.flatMap((workloads): LabelledLoad[] => {
      const load = openLoop({ ...rest, workloads })
      const what = `${workloads} ${workloads === 1 ? 'unit' : 'units'} of L7`
      const common = {
        units: defined({ cpusPerHop }),
        ...(workloads === units[0] ? {} : { hopsAlone: true as const }),
      }
      const { ratePerSecond: _rate, ...searched } = load
      const rates = { startPerSecond: startPerUnit * workloads, minPerSecond: 20, maxPerSecond: 100_000 }
      const search = { ...slo, ...rates, precision: 0.05, maxProbes }
      const knee = { label: `${what}, knee`, load: searched, search, ...common, hopsAlone: true as const }
      return [{ ...called(what, load), ...common }, ...(cpusPerHop === undefined ? [] : [knee])]
    }),
  rounds: (own) => own.rounds,
  carries: (path) => sidecarsOrNone(path) && path.hops.some(({ layer }) => layer === 'l7'),
  comparesLoads: true,
  metrics: [l7Memory, applicationMemory, l7Cpu],
  charts: [
    {
      name: 'scale-out-lines',
      title: 'Memory of all L7 hops by units of L7 capacity',
      caption: `${sizes}; tunnels are not counted`,
      metric: l7Memory,
      steps: { of: ['unit', 'units'] },
    },
    {
      name: 'scale-out-application',
      title: 'Memory of the application by units of L7 capacity',
      caption: `${sizes}; a unit of sidecars comes with an application of its own`,
      metric: applicationMemory,
      steps: { of: ['unit', 'units'] },
    },
    {
      name: 'scale-out-knees',
      title: 'Largest rate that is carried, by units of L7 capacity',
      caption:
        'Searched with an open loop at each step, with a quota of CPU for each L7 hop; a point without a line is a bound, and a line that meets the upper edge goes on, as the table says',
      metric: throughput,
      steps: { of: ['unit', 'units'], searched: true },
    },
  ],
  claims: ['C4'],
} satisfies Experiment<z.infer<typeof settings>>
