/** Warm-up, window and result of an engine that sends as soon as it may: what its engines have in common. */
import { nowUs } from '../kit/process/precise-timer.js'
import { encodeCounts } from '../../../harness/protocol/histogram.js'
import type { LoadResult } from '../../../harness/protocol/result.js'
import type { Phase } from '../../../harness/protocol/events.js'
import { type Harness, withProgress } from './events.js'
import type { Spec } from './spec.js'
import { type Tally, errorsOf, mergeCounts, soFar } from './tally.js'

export interface ClosedLoad {
  readonly engine: 'closed-loop' | 'stream'
  readonly spec: Spec
  readonly harness: Harness
  /** What the load counts into. */
  readonly tally: Tally
  /** What the engine cannot give, in words for the report. */
  readonly limits: readonly string[]
  /** Sends for so long; resolves when nothing is in flight any more. */
  run(durationMs: number): Promise<void>
}

/** Runs both phases between the harness's edges and emits the result. All connections are open. */
export async function runClosedPhases(load: ClosedLoad): Promise<void> {
  const { engine, spec, harness, tally, limits } = load
  harness.emit({ event: 'connected', connections: spec.connections })
  const runPhase = async (phase: Phase, durationMs: number): Promise<number> => {
    tally.startPhase()
    const startUs = nowUs()
    await withProgress(harness, phase, startUs, () => soFar([tally], 'service'), load.run(durationMs))
    return startUs
  }

  if (spec.warmupMs > 0) await runPhase('warmup', spec.warmupMs)
  const warmupSent = tally.get('sent')
  await harness.edge('start')
  const cpu = process.cpuUsage()
  const startUs = await runPhase('window', spec.durationMs)
  const { user, system } = process.cpuUsage(cpu)
  await harness.edge('end')

  const windowMs = (Math.max(startUs, tally.get('lastReplyUs')) - startUs) / 1000
  const ok = tally.get('ok')
  const result: LoadResult = {
    engine,
    sent: tally.get('sent'),
    ok,
    errors: errorsOf([tally]),
    unsent: 0,
    windowMs,
    achievedRatePerSecond: (ok / Math.max(windowMs, spec.durationMs)) * 1000,
    connectionsOpened: tally.get('connectionsOpened'),
    warmupSent,
    bodyBytes: tally.get('bodyBytes'),
    service: encodeCounts(mergeCounts([tally], 'service')),
    generatorCpuUs: user + system,
    limits,
  }
  harness.emit({ event: 'result', result })
}
