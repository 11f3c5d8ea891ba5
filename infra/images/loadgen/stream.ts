/** The stream engine: every connection asks for one large reply after the other; what counts is bytes, not requests. */
import { nowUs } from '../kit/process/precise-timer.js'
import { ClosedLoad, runClosedPhases } from './closed-phases.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import type { Harness } from './events.js'
import { type Slot, reconnectDelayMs, watchOverdue } from './slots.js'
import type { Spec } from './spec.js'
import { record } from './tally.js'
import { wires } from './wires/index.js'

const limits = [
  'closed loop: transfers are never due, so there is no response time and no send lag',
  'one thread, whatever the number of workers',
]

export async function runStream(spec: Spec, harness: Harness): Promise<void> {
  const transfers = new Transfers(spec)
  await transfers.connected
  await runClosedPhases('stream', transfers, harness, limits)
}

class Transfers extends ClosedLoad {
  readonly #slots: readonly Slot[]

  constructor(spec: Spec) {
    super(spec)
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

  protected override start(): void {
    for (const slot of this.#slots) this.#send(slot)
  }

  #send(slot: Slot): void {
    if (!this.isOpen || slot.state !== 'idle') return
    slot.state = 'busy'
    slot.sinceUs = nowUs()
    this.sawRequest()
    slot.wire?.send(0)
  }

  #open(slot: Slot): void {
    slot.state = 'connecting'
    slot.sinceUs = nowUs()
    slot.wire = wires[this.spec.protocol](this.spec, {
      onOpen: () => {
        slot.state = 'idle'
        this.sawConnection()
        this.#send(slot)
      },
      onReply: (kind, bodyBytes, isReusable) => {
        if (kind === undefined) record(this.tally.service, nowUs() - slot.sinceUs)
        this.settle(kind, bodyBytes)
        if (isReusable) {
          slot.state = 'idle'
          this.#send(slot)
        } else this.#open(slot)
      },
      onClose: (kind, code) => {
        this.#lose(slot, kind, code)
      },
    })
  }

  #lose(slot: Slot, kind: ErrorKind, code?: string): void {
    const was = slot.state
    slot.state = 'down'
    if (was === 'busy') this.settle(kind, 0)
    this.sawNoConnection(code)
    // A connection that cannot be opened is a failed transfer: nothing else would show it.
    if (was === 'connecting' && this.isOpen) {
      this.tally.add('sent')
      this.tally.add('connect')
    }
    setTimeout(() => this.#open(slot), was === 'connecting' ? reconnectDelayMs : 0)
  }
}
