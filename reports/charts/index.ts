/** The registry of charts: a new chart is one file and one line here. */
import { addedLatency } from './latency/added-latency.js'
import { capacity } from './limits/capacity.js'
import type { ChartBuilder } from './chart.js'
import { cpuBill } from './resources/cpu-bill.js'
import { cpuModes } from './resources/cpu-modes.js'
import { fleet } from './resources/fleet.js'
import { generator } from './trust/generator.js'
import { increments } from './latency/increments.js'
import { knee } from './limits/knee.js'
import { latencyVsRate } from './limits/latency-vs-rate.js'
import { memory } from './resources/memory.js'
import { noise } from './trust/noise.js'
import { percentileCurve } from './latency/percentile-curve.js'
import { sweepConnections, sweepPayload, sweepRate } from './limits/sweep.js'
import { tradeoff } from './resources/tradeoff.js'
import { trialStrip } from './trust/trial-strip.js'

export const charts = {
  tradeoff,
  increments,
  'added-latency': addedLatency,
  'percentile-curve': percentileCurve,
  'latency-vs-rate': latencyVsRate,
  knee,
  'sweep-rate': sweepRate,
  'sweep-connections': sweepConnections,
  'sweep-payload': sweepPayload,
  capacity,
  'trial-strip': trialStrip,
  'cpu-bill': cpuBill,
  'cpu-modes': cpuModes,
  memory,
  fleet,
  noise,
  generator,
} satisfies Record<string, ChartBuilder>

export type ChartName = keyof typeof charts
