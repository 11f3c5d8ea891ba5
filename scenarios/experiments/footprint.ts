/** How do a mesh's memory and CPU grow with the replicas of its application, and from how many on is which mesh smaller? */
import { z } from 'zod'
import { metric } from '../metrics.js'
import { called, openLoop, sidecarsOrNone, type Experiment } from './experiment.js'
import { connections, openLoopSettings, rate, rounds, steps } from './load-settings.js'
import { coresIn, memoryIn, sizes } from './resources.js'

const settings = z
  .strictObject({
    /** Steps: each with so many replicas of the application behind sidecars of their own, or behind what they share. */
    replicas: steps(64).default([1, 2, 4, 8]),
    /** Of all replicas together: it does not grow with them. */
    ratePerSecond: rate.default(400),
    /** At rest: enough to know that the path is whole. */
    restPerSecond: rate.default(10),
    ...openLoopSettings({ warmupMs: 200, durationMs: 1000 }),
    connections: connections.default(16),
    /** How often every step is measured. */
    rounds: rounds.default(6),
  })
  .refine(({ replicas, connections }) => Math.max(...replicas) <= connections, {
    path: ['connections'],
    message: 'each replica needs a connection',
  })

/** Each load's label ends with one of these behind its count of replicas: claims tell them apart by it. */
export const footprintLoads = { rest: 'at rest', load: 'under load' } as const

/** Shared pages are divided among those who share them, where the kernel tells; else all of them are counted for each. */
export const meshMemory = metric({
  id: 'footprint.memory',
  title: 'Memory of all hops',
  ...memoryIn(({ hopsPssBytes, hopsRssBytes }) => hopsPssBytes ?? hopsRssBytes),
})

export const meshCpu = metric({
  id: 'footprint.cpu',
  title: 'CPU of all hops',
  ...coresIn((bill) => bill.hopsNs),
})

export const footprint = {
  name: 'footprint',
  question: 'How do the memory and the CPU of a mesh grow with the replicas of its application?',
  settings,
  loads: ({ replicas, restPerSecond, rounds: _, ...rest }) =>
    replicas.flatMap((workloads) =>
      Object.values(footprintLoads).map((what) => {
        const isAtRest = what === footprintLoads.rest
        const load = openLoop({
          ...rest,
          workloads,
          ratePerSecond: isAtRest ? restPerSecond : rest.ratePerSecond,
          // What is used at rest is little, and comes in bursts.
          durationMs: isAtRest ? 2 * rest.durationMs : rest.durationMs,
        })
        const named = called(`${workloads} ${workloads === 1 ? 'replica' : 'replicas'} ${what}`, load)
        const isFirst = workloads === replicas[0] && what === footprintLoads.load
        return { ...named, ...(isFirst ? {} : { hopsAlone: true as const }) }
      }),
    ),
  rounds: (own) => own.rounds,
  carries: sidecarsOrNone,
  comparesLoads: true,
  metrics: [meshMemory, meshCpu],
  charts: [
    {
      name: 'footprint-lines',
      title: 'Memory of all hops by replicas of the application',
      caption: sizes,
      metric: meshMemory,
      steps: { of: ['replica', 'replicas'], labelled: footprintLoads.load },
    },
  ],
  claims: ['C4', 'C12'],
} satisfies Experiment<z.infer<typeof settings>>
