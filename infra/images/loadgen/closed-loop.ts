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
import { runClosedPhases } from './closed-phases.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import { EngineError, type Harness } from './events.js'
import { type Spec, authorityOf } from './spec.js'
import { Tally, record } from './tally.js'
import { cannotConnect, kindOfStatus } from './wire.js'

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

const reconnectDelayMs = 100
/** Longest run that a timer can hold; the engine stops long before. */
const foreverSeconds = 1_000_000

const limits = [
  'closed loop: requests are never due, so there is no response time and no send lag',
  'one thread, whatever the number of workers',
]

export async function runClosedLoop(spec: Spec, harness: Harness): Promise<void> {
  const tally = new Tally()
  const gate = createGate(spec, tally)
  // autocannon prints nothing by itself and stops when this process ends.
  autocannon(
    {
      url: `http://${spec.target.host.includes(':') ? `[${spec.target.host}]` : spec.target.host}:${spec.target.port}`,
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
      setupClient: (client) => gate.add(client as unknown as Client),
    },
    () => {},
  )
  await gate.connected
  await runClosedPhases({
    engine: 'closed-loop',
    spec,
    harness,
    tally,
    limits: spec.recording
      ? limits
      : [...limits, 'recording is off: no times, and bodies are neither counted nor checked'],
    async run(durationMs) {
      gate.open()
      await new Promise((resolve) => setTimeout(resolve, durationMs))
      await gate.close()
    },
  })
}

/** Lets requests through while it is open, and counts what becomes of them. */
function createGate(spec: Spec, tally: Tally) {
  const parked = new Set<Client>()
  const timeoutUs = spec.timeoutMs * 1000
  let isOpen = false
  let inFlight = 0
  let bodyBytes = 0
  let allConnected = false
  let drained: (() => void) | undefined
  let onConnected: () => void = () => {}
  let onFailed: (error: Error) => void = () => {}
  const connected = new Promise<void>((resolve, reject) => {
    onConnected = resolve
    onFailed = reject
  })

  const settle = (kind: ErrorKind | undefined): void => {
    inFlight--
    tally.set('lastReplyUs', nowUs())
    tally.add(kind ?? 'ok')
    if (!isOpen && inFlight === 0) drained?.()
  }

  const add = (client: Client): void => {
    const connect = client._connect.bind(client)
    const doRequest = client._doRequest.bind(client)
    let sentUs: number | undefined
    let wasOpen = false
    let failed = false
    let isLast = false
    let isEnding = false

    client._doRequest = () => {
      if (isEnding) return
      if (!isOpen) parked.add(client)
      else if (isLast) client._connect()
      else doRequest()
    }
    client.on('headers', ({ shouldKeepAlive }: { readonly shouldKeepAlive: boolean }) => {
      isLast = !shouldKeepAlive
    })
    /** What becomes of a request whose connection is lost. */
    const settleLost = (): void => {
      const isLate = sentUs !== undefined && nowUs() - sentUs >= timeoutUs
      // A body without a length ends with its connection.
      if (isLast && !failed && !isLate) {
        isEnding = true
        client.parser.finish()
        isEnding = false
      }
      if (sentUs === undefined) return
      sentUs = undefined
      settle(isLate ? 'timeout' : wasOpen ? 'reset' : 'connect')
    }
    // autocannon calls it at the start and whenever a connection is lost, in whatever way.
    client._connect = () => {
      if (sentUs !== undefined) settleLost()
      parked.delete(client)
      const pauseMs = failed && !wasOpen ? reconnectDelayMs : 0
      wasOpen = false
      failed = false
      isLast = false
      // What the old connection still has to say concerns nobody, and half a reply must not meet the next one.
      if (client.conn) client._destroyConnection()
      client.parser.initialize(client.parser.type)
      const again = (): void => {
        connect()
        client.conn?.once('connect', () => {
          wasOpen = true
          tally.add('connectionsOpened')
          if (allConnected || tally.get('connectionsOpened') < spec.connections) return
          allConnected = true
          onConnected()
        })
      }
      if (pauseMs > 0) setTimeout(again, pauseMs)
      else again()
    }
    client.on('connError', (error: NodeJS.ErrnoException) => {
      failed = true
      if (!allConnected) {
        onFailed(new EngineError('connect', cannotConnect(spec.target, error.code)))
      }
    })
    client.on('request', () => {
      inFlight++
      tally.add('sent')
      sentUs = nowUs()
    })
    client.on('response', (status: number, _bytes: number, durationMs: number) => {
      if (sentUs === undefined) return
      sentUs = undefined
      const wrong = spec.recording && bodyBytes !== spec.payloadBytes
      const kind = kindOfStatus(status) ?? (wrong ? 'mismatch' : undefined)
      tally.add('bodyBytes', bodyBytes)
      if (kind === undefined && spec.recording) record(tally.service, durationMs * 1000)
      settle(kind)
    })
  }

  return {
    add,
    connected,
    /** Comes just before the `response` event of the same reply. */
    sawBody(bytes: number): void {
      bodyBytes = bytes
    },
    open(): void {
      isOpen = true
      const waiting = [...parked]
      parked.clear()
      for (const client of waiting) client._doRequest()
    },
    /** Resolves when nothing is in flight. */
    close(): Promise<void> {
      isOpen = false
      return new Promise((resolve) => {
        drained = resolve
        if (inFlight === 0) resolve()
      })
    },
  }
}
