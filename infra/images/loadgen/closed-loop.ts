/**
 * The closed-loop engine: autocannon drives the connections, and its replies are recorded in µs into our histogram.
 *
 * autocannon's own latency figures stay unused: they are whole milliseconds. Its rate mode stays unused, too: it sends
 * each second's share as one burst. Requests are held at a gate between the phases, so that nothing is in flight when
 * counters are read; the gate takes hold of methods that autocannon 9.0.0 does not document, hence the exact pin.
 *
 * Left to itself autocannon reads a new connection with the parser of the one before: after a body that broke off, the next
 * reply is taken for the rest of that body, and the connection stands still until it times out. It sends another request
 * behind a reply that closes its connection, and never sees the end of a body that has no length. The gate mends all three.
 */
import type { EventEmitter } from 'node:events'
import autocannon from 'autocannon'
import { nowUs } from '../kit/process/precise-timer.js'
import { ClosedLoad, runClosedPhases } from './closed-phases.js'
import type { Harness } from './events.js'
import { reconnectDelayMs } from './slots.js'
import { type Spec, authorityOf } from './spec.js'
import { record } from './tally.js'
import { kindOfStatus } from './wires/wire.js'

/** What autocannon's client is inside. */
interface Client extends EventEmitter {
  conn: EventEmitter | undefined
  parser: {
    readonly type: string
    initialize(type: string): void
    finish(): void
  }
  _connect(): void
  _destroyConnection(): void
  _doRequest(): void
}

/** Longest run that a timer can hold; the engine stops long before. */
const foreverSeconds = 1_000_000

const limits = [
  'closed loop: requests are never due, so there is no response time and no send lag',
  'one thread, whatever the number of workers',
]

export async function runClosedLoop(spec: Spec, harness: Harness): Promise<void> {
  const gate = new Gate(spec)
  const { host, port } = spec.target
  // autocannon prints nothing by itself and stops when this process ends.
  autocannon(
    {
      url: `http://${authorityOf({ host, port })}`,
      connections: spec.connections,
      duration: foreverSeconds,
      timeout: spec.timeoutMs / 1000,
      requests: [
        {
          method: 'GET',
          path: `/echo?size=${spec.payloadBytes}`,
          headers: {
            host: authorityOf(spec.target),
            'user-agent': 'meshbench',
            accept: '*/*',
            ...spec.headers,
          },
          ...(spec.recording
            ? { onResponse: (_status: number, body: string) => gate.sawBody(body.length) }
            : {}),
        },
      ],
      setupClient: (client) => mend(client as unknown as Client, gate),
    },
    () => {},
  )
  await gate.connected
  const unrecorded = 'recording is off: no times, and bodies are neither counted nor checked'
  await runClosedPhases('closed-loop', gate, harness, spec.recording ? limits : [...limits, unrecorded])
}

class Gate extends ClosedLoad {
  /** Clients that wait until it opens. */
  readonly parked = new Set<Client>()
  #bodyBytes = 0

  protected override start(): void {
    const waiting = [...this.parked]
    this.parked.clear()
    for (const client of waiting) client._doRequest()
  }

  /** Comes just before the `response` event of the same reply. */
  sawBody(bytes: number): void {
    this.#bodyBytes = bytes
  }

  sawReply(status: number, durationMs: number): void {
    const { recording, payloadBytes } = this.spec
    const isWrong = recording && this.#bodyBytes !== payloadBytes
    const kind = kindOfStatus(status) ?? (isWrong ? 'mismatch' : undefined)
    if (kind === undefined && recording) record(this.tally.service, durationMs * 1000)
    this.settle(kind, this.#bodyBytes)
  }
}

/** Puts a client behind the gate and mends what the head of this file tells of. */
function mend(client: Client, gate: Gate): void {
  const connect = client._connect.bind(client)
  const doRequest = client._doRequest.bind(client)
  const timeoutUs = gate.spec.timeoutMs * 1000
  let sentUs: number | undefined
  let wasOpen = false
  let hasFailed = false
  let isLast = false
  let isEnding = false

  client._doRequest = () => {
    if (isEnding) return
    if (!gate.isOpen) gate.parked.add(client)
    else if (isLast) client._connect()
    else doRequest()
  }
  /** What becomes of a request whose connection is lost. */
  const settleLost = (): void => {
    const isLate = sentUs !== undefined && nowUs() - sentUs >= timeoutUs
    // A body without a length ends with its connection.
    if (isLast && !hasFailed && !isLate) {
      isEnding = true
      client.parser.finish()
      isEnding = false
    }
    if (sentUs === undefined) return
    sentUs = undefined
    gate.settle(isLate ? 'timeout' : wasOpen ? 'reset' : 'connect', 0)
  }
  const connectAgain = (): void => {
    connect()
    client.conn?.once('connect', () => {
      wasOpen = true
      gate.sawConnection()
    })
  }
  // autocannon calls it at the start and whenever a connection is lost, in whatever way.
  client._connect = () => {
    if (sentUs !== undefined) settleLost()
    gate.parked.delete(client)
    const pauseMs = hasFailed && !wasOpen ? reconnectDelayMs : 0
    wasOpen = false
    hasFailed = false
    isLast = false
    // What the old connection still has to say concerns nobody, and half a reply must not meet the next one.
    if (client.conn) client._destroyConnection()
    client.parser.initialize(client.parser.type)
    if (pauseMs > 0) setTimeout(connectAgain, pauseMs)
    else connectAgain()
  }
  client.on('headers', ({ shouldKeepAlive }: { readonly shouldKeepAlive: boolean }) => {
    isLast = !shouldKeepAlive
  })
  client.on('connError', ({ code }: NodeJS.ErrnoException) => {
    hasFailed = true
    gate.sawNoConnection(code)
  })
  client.on('request', () => {
    sentUs = nowUs()
    gate.sawRequest()
  })
  client.on('response', (status: number, _bytes: number, durationMs: number) => {
    if (sentUs === undefined) return
    sentUs = undefined
    gate.sawReply(status, durationMs)
  })
}
