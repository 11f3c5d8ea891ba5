/** The stream engine: every connection asks for one large reply after the other; what counts is bytes, not requests. */
import { nowUs } from '../kit/process/precise-timer.js'
import { runClosedPhases } from './closed-phases.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import { EngineError, type Harness } from './events.js'
import { type Slot, reconnectDelayMs, watchOverdue } from './slots.js'
import type { Spec } from './spec.js'
import { Tally, record } from './tally.js'
import { cannotConnect } from './wires/wire.js'
import { wires } from './wires/index.js'

const limits = [
  'closed loop: transfers are never due, so there is no response time and no send lag',
  'one thread, whatever the number of workers',
]

export async function runStream(spec: Spec, harness: Harness): Promise<void> {
  const tally = new Tally()
  const transfers = new Transfers(spec, tally)
  await transfers.connected
  const run = (durationMs: number): Promise<void> => transfers.run(durationMs)
  await runClosedPhases({ engine: 'stream', spec, harness, tally, limits, run })
}

class Transfers {
  /** All connections are open for the first time. Rejects when one cannot be opened. */
  readonly connected: Promise<void>
  readonly #spec: Spec
  readonly #tally: Tally
  readonly #slots: readonly Slot[]
  #isOpen = false
  #inFlight = 0
  #connectedOnce = 0
  #drained: (() => void) | undefined
  #onConnected: () => void = () => {}
  #onFailed: (error: Error) => void = () => {}

  constructor(spec: Spec, tally: Tally) {
    this.#spec = spec
    this.#tally = tally
    this.connected = new Promise<void>((resolve, reject) => {
      this.#onConnected = resolve
      this.#onFailed = reject
    })
    this.#slots = Array.from({ length: spec.connections }, () => ({
      wire: undefined,
      state: 'down',
      sinceUs: 0,
    }))
    for (const slot of this.#slots) this.#open(slot)
    watchOverdue(this.#slots, spec.timeoutMs, (slot) => {
      this.#lose(slot, 'timeout')
    })
  }

  /** Starts transfers for so long; resolves when the last one has ended. */
  async run(durationMs: number): Promise<void> {
    this.#isOpen = true
    for (const slot of this.#slots) this.#send(slot)
    await new Promise((elapsed) => setTimeout(elapsed, durationMs))
    this.#isOpen = false
    if (this.#inFlight > 0) await new Promise<void>((done) => (this.#drained = done))
  }

  #send(slot: Slot): void {
    if (!this.#isOpen || slot.state !== 'idle') return
    slot.state = 'busy'
    slot.sinceUs = nowUs()
    this.#inFlight++
    this.#tally.add('sent')
    slot.wire?.send()
  }

  #settle(slot: Slot, kind: ErrorKind | undefined, bodyBytes: number): void {
    const now = nowUs()
    this.#inFlight--
    this.#tally.add(kind ?? 'ok')
    this.#tally.add('bodyBytes', bodyBytes)
    this.#tally.set('lastReplyUs', now)
    if (kind === undefined) record(this.#tally.service, now - slot.sinceUs)
  }

  #checkDrained(): void {
    if (!this.#isOpen && this.#inFlight === 0) this.#drained?.()
  }

  #open(slot: Slot): void {
    const { protocol, connections } = this.#spec
    slot.state = 'connecting'
    slot.sinceUs = nowUs()
    slot.wire = wires[protocol](this.#spec, {
      onOpen: () => {
        this.#tally.add('connectionsOpened')
        slot.state = 'idle'
        if (this.#connectedOnce < connections && ++this.#connectedOnce === connections) this.#onConnected()
        this.#send(slot)
      },
      onReply: (kind, bodyBytes, isReusable) => {
        this.#settle(slot, kind, bodyBytes)
        if (isReusable) {
          slot.state = 'idle'
          this.#send(slot)
        } else this.#open(slot)
        this.#checkDrained()
      },
      onClose: (kind, code) => {
        this.#lose(slot, kind, code)
      },
    })
  }

  #lose(slot: Slot, kind: ErrorKind, code?: string): void {
    const was = slot.state
    slot.state = 'down'
    if (was === 'busy') this.#settle(slot, kind, 0)
    if (this.#connectedOnce < this.#spec.connections)
      this.#onFailed(new EngineError('connect', cannotConnect(this.#spec.target, code)))
    // A connection that cannot be opened is a failed transfer: nothing else would show it.
    if (was === 'connecting' && this.#isOpen) {
      this.#tally.add('sent')
      this.#tally.add('connect')
    }
    setTimeout(() => this.#open(slot), was === 'connecting' ? reconnectDelayMs : 0)
    this.#checkDrained()
  }
}
