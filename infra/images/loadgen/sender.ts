/** Keeps a schedule on a set of connections: what is due is sent at once or waits for a connection, and is charged. */
import { PreciseTimer, nowUs } from '../kit/process/precise-timer.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import { orderOf } from './mix.js'
import type { Spec } from './spec.js'
import { type Slot, reconnectDelayMs, watchOverdue } from './slots.js'
import { type Tally, record } from './tally.js'
import { cannotConnect, type WireEvents, type WireFactory } from './wires/wire.js'

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

export interface SenderPhase {
  /** Start in µs of the monotonic clock. */
  readonly startUs: number
  /** µs after the start, ascending. */
  readonly dues: Float64Array
  readonly durationMs: number
}

interface SendingSlot extends Slot {
  dueUs: number
  /** Of its request, by its place in the spec. */
  kind: number
}

/** Share of a sender's time that its timer may spin away for precision. */
const spinShare = 0.2
/** Requests that wait for a connection when the phase ends may still be sent for as long; later ones are unsent. */
const lateSendMs = 250

export class Sender {
  readonly #options: SenderOptions
  readonly #slots: SendingSlot[] = []
  /** Idle connections, longest idle first, so that all are used alike. */
  readonly #idle: Fifo
  readonly #timer: PreciseTimer
  readonly #order: Uint8Array
  #dues: Float64Array = new Float64Array(0)
  #startUs = 0
  #next = 0
  #end = 0
  #armedFor = -1
  #inFlight = 0
  #connectedOnce = 0
  #finish: (() => void) | undefined

  constructor(options: SenderOptions) {
    const { spec, connections, connectionPerRequest, ratePerSecond } = options
    this.#options = options
    this.#idle = new Fifo(connections)
    this.#order = orderOf(spec)
    this.#timer = new PreciseTimer(
      () => {
        this.#armedFor = -1
        this.#dispatch()
      },
      Math.min(250, Math.max(20, (spinShare * 1e6) / ratePerSecond)),
    )
    watchOverdue(this.#slots, spec.timeoutMs, (slot, index) => {
      if (connectionPerRequest) this.#oneRequest(index, slot).onClose('timeout')
      else this.#onClosed(index, 'timeout')
    })
    for (let index = 0; index < connections; index++) {
      this.#slots.push({ wire: undefined, state: 'down', dueUs: 0, sinceUs: 0, kind: 0 })
      if (connectionPerRequest) this.#free(index)
      else this.#open(index)
    }
    if (connectionPerRequest) options.onConnected()
  }

  /** Runs one phase; resolves when nothing is in flight and nothing more will be sent. */
  run({ startUs, dues, durationMs }: SenderPhase): Promise<void> {
    const { tally } = this.#options
    tally.startPhase()
    this.#dues = dues
    this.#startUs = startUs
    this.#next = 0
    this.#end = dues.length
    this.#armedFor = -1
    const closeMs = (startUs - nowUs()) / 1000 + durationMs + lateSendMs
    const overdue = setTimeout(() => {
      tally.add('unsent', this.#end - this.#next)
      this.#end = this.#next
      this.#settle()
    }, closeMs)
    return new Promise<void>((resolve) => {
      this.#finish = () => {
        clearTimeout(overdue)
        resolve()
      }
      this.#dispatch()
    })
  }

  #dispatch(): void {
    while (this.#next < this.#end && this.#idle.size > 0) {
      const dueUs = this.#startUs + (this.#dues[this.#next] as number)
      if (dueUs > nowUs()) {
        if (this.#armedFor !== this.#next) {
          this.#armedFor = this.#next
          this.#timer.set(dueUs)
        }
        return
      }
      const kind = this.#order[this.#next++ % this.#order.length] as number
      this.#sendOn(this.#idle.take(), dueUs, kind)
    }
    if (this.#next === this.#end) this.#settle()
  }

  #sendOn(index: number, dueUs: number, kind: number): void {
    const { spec, tally, wire, connectionPerRequest } = this.#options
    const slot = this.#slots[index] as SendingSlot
    slot.state = 'busy'
    slot.dueUs = dueUs
    slot.kind = kind
    this.#inFlight++
    tally.add('sent')
    const sentUs = nowUs()
    slot.sinceUs = sentUs
    tally.set('lastSentUs', sentUs)
    if (connectionPerRequest) slot.wire = wire(spec, this.#oneRequest(index, slot))
    else slot.wire?.send(kind)
    record(tally.sendLag, sentUs - dueUs)
  }

  #settle(): void {
    if (this.#inFlight > 0 || this.#next < this.#end) return
    const finish = this.#finish
    this.#finish = undefined
    finish?.()
  }

  #sliceOf(dueUs: number): number {
    const { sliceMs } = this.#options.spec
    return sliceMs === undefined ? -1 : Math.floor((dueUs - this.#startUs) / (sliceMs * 1000))
  }

  #fail(kind: ErrorKind, dueUs: number): void {
    const { tally } = this.#options
    this.#inFlight--
    tally.add(kind)
    tally.set('lastReplyUs', nowUs())
    tally.addToSlice(this.#sliceOf(dueUs), undefined)
  }

  #finishRequest(slot: SendingSlot, kind: ErrorKind | undefined, bodyBytes: number): void {
    const { tally } = this.#options
    const now = nowUs()
    this.#inFlight--
    tally.add('bodyBytes', bodyBytes)
    tally.set('lastReplyUs', now)
    tally.add(kind ?? 'ok')
    tally.addToSlice(this.#sliceOf(slot.dueUs), kind === undefined ? now - slot.dueUs : undefined)
    if (kind !== undefined) return
    record(tally.response, now - slot.dueUs)
    record(tally.service, now - slot.sinceUs)
  }

  #free(index: number): void {
    ;(this.#slots[index] as SendingSlot).state = 'idle'
    this.#idle.put(index)
  }

  /** The life of a connection that carries one request. */
  #oneRequest(index: number, slot: SendingSlot): WireEvents {
    const { tally } = this.#options
    const done = (): void => {
      slot.wire = undefined
      this.#free(index)
      this.#dispatch()
    }
    let firstByteUs = 0
    return {
      onOpen() {
        tally.add('connectionsOpened')
        record(tally.connect, nowUs() - slot.sinceUs)
        slot.wire?.send(slot.kind)
      },
      onFirstByte() {
        firstByteUs = nowUs()
      },
      onReply: (kind, bodyBytes) => {
        slot.wire?.destroy()
        if (kind === undefined) record(tally.firstByte, firstByteUs - slot.sinceUs)
        this.#finishRequest(slot, kind, bodyBytes)
        done()
      },
      onClose: (kind) => {
        this.#fail(kind, slot.dueUs)
        done()
      },
    }
  }

  #open(index: number): void {
    const { spec, tally, wire, connections } = this.#options
    const slot = this.#slots[index] as SendingSlot
    slot.state = 'connecting'
    slot.sinceUs = nowUs()
    slot.wire = wire(spec, {
      onOpen: () => {
        tally.add('connectionsOpened')
        this.#free(index)
        if (this.#connectedOnce < connections && ++this.#connectedOnce === connections)
          this.#options.onConnected()
        this.#dispatch()
      },
      onReply: (kind, bodyBytes, isReusable) => {
        this.#finishRequest(slot, kind, bodyBytes)
        if (isReusable) this.#free(index)
        else this.#open(index)
        this.#dispatch()
      },
      onClose: (kind, code) => {
        this.#onClosed(index, kind, code)
      },
    })
  }

  #onClosed(index: number, kind: ErrorKind, code?: string): void {
    const { spec, connections } = this.#options
    const slot = this.#slots[index] as SendingSlot
    const was = slot.state
    slot.state = 'down'
    slot.wire = undefined
    if (was === 'busy') this.#fail(kind, slot.dueUs)
    else if (was === 'idle') this.#idle.remove(index)
    else if (this.#connectedOnce < connections) {
      this.#options.onFailed(cannotConnect(spec.target, code))
      return
    } else this.#chargeConnectError()
    // At once when it had worked; after a pause when it did not, so that a dead server is not hammered.
    if (was === 'connecting') setTimeout(() => this.#open(index), reconnectDelayMs)
    else this.#open(index)
    this.#dispatch()
  }

  /** A connection that cannot be opened fails the request that waits for it. */
  #chargeConnectError(): void {
    const dueUs = this.#startUs + (this.#dues[this.#next] as number)
    if (this.#next >= this.#end || this.#idle.size > 0 || dueUs > nowUs()) return
    this.#next++
    this.#options.tally.add('sent')
    this.#inFlight++
    this.#fail('connect', dueUs)
  }
}

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
