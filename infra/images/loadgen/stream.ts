/** The stream engine: every connection asks for one large reply after the other; what counts is bytes, not requests. */
import { nowUs } from '../kit/process/precise-timer.js'
import { runClosedPhases } from './closed-phases.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import { EngineError, type Harness } from './events.js'
import type { Spec } from './spec.js'
import { Tally, record } from './tally.js'
import { cannotConnect, type Wire } from './wire.js'
import { wires } from './wires.js'

const reconnectDelayMs = 100

const limits = [
  'closed loop: transfers are never due, so there is no response time and no send lag',
  'one thread, whatever the number of workers',
]

interface Slot {
  wire: Wire | undefined
  state: 'connecting' | 'idle' | 'busy' | 'down'
  sinceUs: number
}

export async function runStream(spec: Spec, harness: Harness): Promise<void> {
  const tally = new Tally()
  const transfers = await openTransfers(spec, tally)
  const run = (durationMs: number): Promise<void> => transfers.run(durationMs)
  await runClosedPhases({ engine: 'stream', spec, harness, tally, limits, run })
}

interface Transfers {
  /** Starts transfers for so long; resolves when the last one has ended. */
  run(durationMs: number): Promise<void>
}

/** Opens all connections. Rejects when one cannot be opened. */
function openTransfers(spec: Spec, tally: Tally): Promise<Transfers> {
  return new Promise((resolve, reject) => {
    let isOpen = false
    let inFlight = 0
    let connectedOnce = 0
    let drained: (() => void) | undefined

    const send = (slot: Slot): void => {
      if (!isOpen || slot.state !== 'idle') return
      slot.state = 'busy'
      slot.sinceUs = nowUs()
      inFlight++
      tally.add('sent')
      slot.wire?.send()
    }

    const settle = (slot: Slot, kind: ErrorKind | undefined, bodyBytes: number): void => {
      const now = nowUs()
      inFlight--
      tally.add(kind ?? 'ok')
      tally.add('bodyBytes', bodyBytes)
      tally.set('lastReplyUs', now)
      if (kind === undefined) record(tally.service, now - slot.sinceUs)
    }

    const checkDrained = (): void => {
      if (!isOpen && inFlight === 0) drained?.()
    }

    const open = (slot: Slot): void => {
      slot.state = 'connecting'
      slot.sinceUs = nowUs()
      slot.wire = wires[spec.protocol](spec, {
        onOpen() {
          tally.add('connectionsOpened')
          slot.state = 'idle'
          if (connectedOnce < spec.connections && ++connectedOnce === spec.connections) resolve({ run })
          send(slot)
        },
        onReply(kind, bodyBytes, reusable) {
          settle(slot, kind, bodyBytes)
          if (reusable) {
            slot.state = 'idle'
            send(slot)
          } else open(slot)
          checkDrained()
        },
        onClose: (kind, code) => lost(slot, kind, code),
      })
    }

    const lost = (slot: Slot, kind: ErrorKind, code?: string): void => {
      const was = slot.state
      slot.state = 'down'
      if (was === 'busy') settle(slot, kind, 0)
      if (connectedOnce < spec.connections) {
        reject(new EngineError('connect', cannotConnect(spec.target, code)))
      }
      // A connection that cannot be opened is a failed transfer: nothing else would show it.
      if (was === 'connecting' && isOpen) {
        tally.add('sent')
        tally.add('connect')
      }
      setTimeout(() => open(slot), was === 'connecting' ? reconnectDelayMs : 0)
      checkDrained()
    }

    const slots: Slot[] = Array.from({ length: spec.connections }, () => ({
      wire: undefined,
      state: 'down',
      sinceUs: 0,
    }))
    slots.forEach(open)
    setInterval(
      () => {
        const limitUs = nowUs() - spec.timeoutMs * 1000
        for (const slot of slots) {
          if ((slot.state !== 'busy' && slot.state !== 'connecting') || slot.sinceUs > limitUs) continue
          slot.wire?.destroy()
          lost(slot, 'timeout')
        }
      },
      Math.max(5, Math.min(100, spec.timeoutMs / 4)),
    )

    const run = async (durationMs: number): Promise<void> => {
      isOpen = true
      slots.forEach(send)
      await new Promise((elapsed) => setTimeout(elapsed, durationMs))
      isOpen = false
      if (inFlight > 0) await new Promise<void>((done) => (drained = done))
    }
  })
}
