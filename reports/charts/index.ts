/** The registry of charts: a new chart is one file and one line here. */
import { addedLatency } from './added-latency.js'
import { capacity } from './capacity.js'
import type { ChartBuilder } from './chart.js'
import { cpuBill } from './cpu-bill.js'
import { cpuModes } from './cpu-modes.js'
import { generator } from './generator.js'
import { increments } from './increments.js'
import { knee } from './knee.js'
import { latencyVsRate } from './latency-vs-rate.js'
import { memory } from './memory.js'
import { noise } from './noise.js'
import { percentileCurve } from './percentile-curve.js'
import { sweepConnections, sweepPayload, sweepRate } from './sweep.js'
import { tradeoff } from './tradeoff.js'
import { trialStrip } from './trial-strip.js'

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
  noise,
  generator,
} satisfies Record<string, ChartBuilder>

export type ChartName = keyof typeof charts
