/** An engine that sends as soon as it may: its connections, its phases and its result. */
import { nowUs } from '../kit/process/precise-timer.js'
import { encodeCounts } from '../../../harness/protocol/histogram.js'
import type { ErrorKind, LoadResult } from '../../../harness/protocol/result.js'
import type { Phase } from '../../../harness/protocol/events.js'
import { EngineError, type Harness, withProgress } from './events.js'
import type { Spec } from './spec.js'
import { Tally, errorsOf, mergeCounts, soFar } from './tally.js'
import { cannotConnect } from './wires/wire.js'

/** Counts what is in flight, and lets requests through in a phase alone. */
export abstract class ClosedLoad {
  /** All connections are open for the first time. Rejects when one cannot be opened. */
  readonly connected: Promise<void>
  readonly spec: Spec
  readonly tally = new Tally()
  isOpen = false
  #inFlight = 0
  #connectedOnce = 0
  #drained: (() => void) | undefined
  #onConnected: () => void = () => {}
  #onFailed: (error: Error) => void = () => {}

  constructor(spec: Spec) {
    this.spec = spec
    this.connected = new Promise<void>((resolve, reject) => {
      this.#onConnected = resolve
      this.#onFailed = reject
    })
  }

  /** Sends on every connection that is there. */
  protected abstract start(): void

  /** Sends for so long; resolves when nothing is in flight any more. */
  async run(durationMs: number): Promise<void> {
    this.isOpen = true
    this.start()
    await new Promise((elapsed) => setTimeout(elapsed, durationMs))
    this.isOpen = false
    if (this.#inFlight > 0) await new Promise<void>((done) => (this.#drained = done))
  }

  sawConnection(): void {
    this.tally.add('connectionsOpened')
    const { connections } = this.spec
    if (this.#connectedOnce < connections && ++this.#connectedOnce === connections) this.#onConnected()
  }

  /** Later on a server may be away for a while. */
  sawNoConnection(code: string | undefined): void {
    if (this.#connectedOnce < this.spec.connections)
      this.#onFailed(new EngineError('connect', cannotConnect(this.spec.target, code)))
  }

  sawRequest(): void {
    this.#inFlight++
    this.tally.add('sent')
  }

  /** A request has come to its end. */
  settle(kind: ErrorKind | undefined, bodyBytes: number): void {
    this.#inFlight--
    this.tally.set('lastReplyUs', nowUs())
    this.tally.add('bodyBytes', bodyBytes)
    this.tally.add(kind ?? 'ok')
    if (!this.isOpen && this.#inFlight === 0) this.#drained?.()
  }
}

/**
 * Runs both phases between the harness's edges and emits the result. All connections are open. `limits` is what the engine
 * cannot give, in words for the report.
 */
export async function runClosedPhases(
  engine: 'closed-loop' | 'stream',
  load: ClosedLoad,
  harness: Harness,
  limits: readonly string[],
): Promise<void> {
  const { spec, tally } = load
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
