/** Keeps a schedule on a set of connections: what is due is sent at once or waits for a connection, and is charged. */
import { PreciseTimer, nowUs } from '../kit/process/precise-timer.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import type { Spec } from './spec.js'
import { type Tally, record } from './tally.js'
import { cannotConnect, type Wire, type WireEvents, type WireFactory } from './wire.js'

export interface SenderOptions {
  readonly spec: Spec
  /** Connections of this sender alone. */
  readonly connections: number
  /** This sender's share of the rate: bounds how much of a core its timer may spin away. */
  readonly ratePerSecond: number
  readonly tally: Tally
  readonly wire: WireFactory
  /** Open a connection for every request, and close it after the reply. */
  readonly connectionPerRequest: boolean
  /** All connections are open for the first time. */
  onConnected(): void
  /** A connection could not be opened before the first phase. */
  onFailed(message: string): void
}

export interface Sender {
  /** Runs one phase; resolves when nothing is in flight and nothing more will be sent. */
  run(phase: SenderPhase): Promise<void>
  close(): void
}

export interface SenderPhase {
  /** Start in µs of the monotonic clock. */
  readonly startUs: number
  /** µs after the start, ascending. */
  readonly dues: Float64Array
  readonly durationMs: number
}

interface Slot {
  wire: Wire | undefined
  state: 'connecting' | 'idle' | 'busy' | 'down'
  dueUs: number
  sentUs: number
  connectStartUs: number
}

/** Share of a sender's time that its timer may spin away for precision. */
const spinShare = 0.2
const reconnectDelayMs = 100
/** Requests that wait for a connection when the phase ends may still be sent for as long; later ones are unsent. */
const lateSendMs = 250

export function createSender(options: SenderOptions): Sender {
  const { spec, tally } = options
  const slots: Slot[] = []
  /** Idle connections, longest idle first, so that all are used alike. */
  const idle = new Fifo(options.connections)
  let dues = new Float64Array(0)
  let startUs = 0
  let next = 0
  let end = 0
  let armedFor = -1
  let inFlight = 0
  let connectedOnce = 0
  let closed = false
  let finish: (() => void) | undefined
  const timer = new PreciseTimer(
    () => {
      armedFor = -1
      dispatch()
    },
    { maxLeadUs: Math.min(250, Math.max(20, (spinShare * 1e6) / options.ratePerSecond)) },
  )

  const dispatch = (): void => {
    while (next < end && idle.size > 0) {
      const dueUs = startUs + (dues[next] as number)
      const now = nowUs()
      if (dueUs > now) {
        if (armedFor !== next) {
          armedFor = next
          timer.set(dueUs)
        }
        return
      }
      next++
      sendOn(idle.take(), dueUs)
    }
    if (next === end) settle()
  }

  const sendOn = (index: number, dueUs: number): void => {
    const slot = slots[index] as Slot
    slot.state = 'busy'
    slot.dueUs = dueUs
    inFlight++
    tally.add('sent')
    const sentUs = nowUs()
    slot.sentUs = sentUs
    tally.set('lastSentUs', sentUs)
    if (options.connectionPerRequest) slot.wire = options.wire(spec, oneRequest(index, slot))
    else slot.wire?.send()
    record(tally.sendLag, sentUs - dueUs)
  }

  const settle = (): void => {
    if (inFlight > 0 || next < end) return
    const done = finish
    finish = undefined
    done?.()
  }

  const sliceOf = (dueUs: number) =>
    spec.sliceMs === undefined ? -1 : Math.floor((dueUs - startUs) / (spec.sliceMs * 1000))

  const fail = (kind: ErrorKind, dueUs: number): void => {
    inFlight--
    tally.add(kind)
    tally.set('lastReplyUs', nowUs())
    tally.addToSlice(sliceOf(dueUs), undefined)
  }

  const finishRequest = (slot: Slot, kind: ErrorKind | undefined, bodyBytes: number): void => {
    const now = nowUs()
    inFlight--
    tally.add('bodyBytes', bodyBytes)
    tally.set('lastReplyUs', now)
    tally.add(kind ?? 'ok')
    tally.addToSlice(sliceOf(slot.dueUs), kind === undefined ? now - slot.dueUs : undefined)
    if (kind !== undefined) return
    record(tally.response, now - slot.dueUs)
    record(tally.service, now - slot.sentUs)
  }

  /** The life of a connection that carries one request. */
  const oneRequest = (index: number, slot: Slot): WireEvents => {
    const free = (): void => {
      slot.wire = undefined
      slot.state = 'idle'
      idle.put(index)
      dispatch()
    }
    let firstByteUs = 0
    return {
      onOpen() {
        tally.add('connectionsOpened')
        record(tally.connect, nowUs() - slot.sentUs)
        slot.wire?.send()
      },
      onFirstByte() {
        firstByteUs = nowUs()
      },
      onReply(kind, bodyBytes) {
        slot.wire?.destroy()
        if (kind === undefined) record(tally.firstByte, firstByteUs - slot.sentUs)
        finishRequest(slot, kind, bodyBytes)
        free()
      },
      onClose(kind) {
        fail(kind, slot.dueUs)
        free()
      },
    }
  }

  const open = (index: number): void => {
    const slot = slots[index] as Slot
    if (closed) return
    slot.state = 'connecting'
    slot.connectStartUs = nowUs()
    slot.wire = options.wire(spec, {
      onOpen() {
        tally.add('connectionsOpened')
        slot.state = 'idle'
        idle.put(index)
        if (connectedOnce < options.connections && ++connectedOnce === options.connections) {
          options.onConnected()
        }
        dispatch()
      },
      onReply(kind, bodyBytes, reusable) {
        finishRequest(slot, kind, bodyBytes)
        if (reusable) {
          slot.state = 'idle'
          idle.put(index)
        } else open(index)
        dispatch()
      },
      onClose(kind, code) {
        onClosed(index, kind, code)
      },
    })
  }

  const onClosed = (index: number, kind: ErrorKind, code?: string): void => {
    const slot = slots[index] as Slot
    const was = slot.state
    slot.state = 'down'
    slot.wire = undefined
    if (was === 'busy') fail(kind, slot.dueUs)
    else if (was === 'idle') idle.remove(index)
    else if (connectedOnce < options.connections) {
      options.onFailed(cannotConnect(spec.target, code))
      return
    } else chargeConnectError()
    // At once when it had worked; after a pause when it did not, so that a dead server is not hammered.
    if (was === 'connecting') setTimeout(() => open(index), reconnectDelayMs)
    else open(index)
    dispatch()
  }

  /** A connection that cannot be opened fails the request that waits for it. */
  const chargeConnectError = (): void => {
    const dueUs = startUs + (dues[next] as number)
    if (next >= end || idle.size > 0 || dueUs > nowUs()) return
    next++
    tally.add('sent')
    inFlight++
    fail('connect', dueUs)
  }

  const scan = setInterval(
    () => {
      const limitUs = nowUs() - spec.timeoutMs * 1000
      for (const [index, slot] of slots.entries()) {
        const since = slot.state === 'busy' ? slot.sentUs : slot.connectStartUs
        if ((slot.state !== 'busy' && slot.state !== 'connecting') || since > limitUs) continue
        slot.wire?.destroy()
        if (options.connectionPerRequest) oneRequest(index, slot).onClose('timeout')
        else onClosed(index, 'timeout')
      }
    },
    Math.max(5, Math.min(100, spec.timeoutMs / 4)),
  )

  for (let index = 0; index < options.connections; index++) {
    slots.push({ wire: undefined, state: 'down', dueUs: 0, sentUs: 0, connectStartUs: 0 })
    if (!options.connectionPerRequest) open(index)
    else {
      ;(slots[index] as Slot).state = 'idle'
      idle.put(index)
    }
  }
  if (options.connectionPerRequest) options.onConnected()

  return {
    run(phase) {
      tally.startPhase()
      dues = phase.dues as typeof dues
      startUs = phase.startUs
      next = 0
      end = dues.length
      armedFor = -1
      const closeMs = (startUs - nowUs()) / 1000 + phase.durationMs + lateSendMs
      const overdue = setTimeout(() => {
        tally.add('unsent', end - next)
        end = next
        settle()
      }, closeMs)
      return new Promise<void>((resolve) => {
        finish = () => {
          clearTimeout(overdue)
          resolve()
        }
        dispatch()
      })
    },
    close() {
      closed = true
      clearInterval(scan)
      timer.close()
      for (const slot of slots) slot.wire?.destroy()
    },
  }
}

/** A ring of connection indices. */
class Fifo {
  readonly #ring: Int32Array
  #head = 0
  size = 0

  constructor(capacity: number) {
    this.#ring = new Int32Array(capacity)
  }

  put(value: number): void {
    this.#ring[(this.#head + this.size++) % this.#ring.length] = value
  }

  take(): number {
    const value = this.#ring[this.#head] as number
    this.#head = (this.#head + 1) % this.#ring.length
    this.size--
    return value
  }

  remove(value: number): void {
    for (let left = this.size; left > 0; left--) {
      const first = this.take()
      if (first !== value) this.put(first)
    }
  }
}
