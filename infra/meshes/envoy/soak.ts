/**
 * Sends many requests and many bytes through the mixed arms and accounts for every one of them: what the client wrote,
 * what each hop says it carried, and what the application saw have to be the same figures.
 *
 *     ENVOY_BIN=… node --import tsx infra/meshes/envoy/soak.ts [--mesh tunnel+envoy] [--requests 1000000] [--gib 10] [--minutes 20]
 *
 * Ends with 1 when anything is unaccounted for. With `--minutes` it stops early and accounts for what was sent by then.
 */
import { connect, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import type { Endpoint, HopCounters, RaisedArm } from '../../../harness/model.js'
import { paths } from '../../../scenarios/paths/index.js'
import { serviceAuthority } from '../reference/names.js'
import { openTestHost, testArm } from '../hops/testing.js'
import { envoy, envoyProxy, tunnelEnvoy } from './envoy.js'

const { 'l4-l7-l4': l4L7L4 } = paths

const connections = 16
const bodyBytes = 128 * 1024
const meshes = [tunnelEnvoy, envoyProxy, envoy]

const { values } = parseArgs({
  options: {
    mesh: { type: 'string', default: 'tunnel+envoy' },
    requests: { type: 'string', default: '100000' },
    gib: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '30' },
  },
})
/** Each of the two phases gets half of the time. */
const phaseMs = (Number(values.minutes) * 60_000) / 2

const mesh = meshes.find(({ name }) => name === values.mesh)
if (!mesh) throw new Error(`--mesh ${values.mesh}: one of ${meshes.map(({ name }) => name).join(', ')}`)

const test = await openTestHost(mesh === envoy ? ['echo'] : ['echo', 'tunnel', 'proxy'])
let failures = 0
try {
  const session = await mesh.install(test.context)
  const arm = await session.raise(testArm(mesh.name, l4L7L4), l4L7L4)
  const before = await readAll(arm)
  const started = performance.now()

  const small = await drive(arm.endpoint, Number(values.requests), getRequest(1024), 1024)
  console.log(`${small.replies} GETs of 1 KiB, ${elapsed(started)}`)
  const posts = Math.ceil((Number(values.gib) * 2 ** 30) / (2 * bodyBytes))
  const body = pattern(bodyBytes)
  const large = await drive(arm.endpoint, posts, postRequest(body), bodyBytes, body)
  console.log(`${large.replies} POSTs of ${bodyBytes / 1024} KiB, echoed, ${elapsed(started)}`)

  const after = await readAll(arm)
  const total = {
    requests: small.replies + large.replies,
    written: small.written + large.written,
    read: small.read + large.read,
    body: small.body + large.body,
  }
  console.log(`client: ${total.requests} requests, ${total.written} bytes out, ${total.read} bytes in`)
  const moved = (component: string, key: keyof HopCounters) =>
    Number(after[component]?.[key] ?? 0) - Number(before[component]?.[key] ?? 0)
  const [clientTunnel, waypoint, serverTunnel] = arm.components.map(({ name }) => name)
  const application = arm.application.name
  for (const name of [...arm.components.map((component) => component.name), application]) {
    console.log(
      `${name}: ${moved(name, 'requests')} requests, received ${moved(name, 'receivedBytes')}, sent ${moved(name, 'sentBytes')}`,
    )
  }
  // What a client wrote is what its tunnel received; what the waypoint wrote is what the application received.
  account('bytes that the first tunnel received', total.written, moved(clientTunnel ?? '', 'receivedBytes'))
  account('bytes that the first tunnel sent back', total.read, moved(clientTunnel ?? '', 'sentBytes'))
  account('requests at the waypoint', total.requests, moved(waypoint ?? '', 'requests'))
  account('requests at the application', total.requests, moved(application, 'requests'))
  account('bytes of bodies that the client got', small.expectedBody + large.expectedBody, total.body)
  account(
    'bytes to the application',
    moved(application, 'receivedBytes'),
    moved(serverTunnel ?? '', 'receivedBytes'),
  )
  // The echo server counts the bodies that it sends, without heads.
  account('bytes of bodies from the application', total.body, moved(application, 'sentBytes'))
} finally {
  await test.close()
}
process.exitCode = failures > 0 ? 1 : 0

function account(what: string, expected: number, actual: number): void {
  const ok = expected === actual && expected > 0
  if (!ok) failures++
  console.log(`${ok ? 'ok      ' : 'MISSING '} ${what}: expected ${expected}, found ${actual}`)
}

async function readAll(arm: RaisedArm): Promise<Record<string, HopCounters>> {
  const names = [...arm.components.map(({ name }) => name), arm.application.name]
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await arm.readCounters(name)] as const)),
  )
}

interface Driven {
  readonly replies: number
  readonly written: number
  readonly read: number
  readonly body: number
  readonly expectedBody: number
}

/** One request after the other on each connection; rejects at the first reply that is not what it should be. */
async function drive(
  endpoint: Endpoint,
  count: number,
  request: Buffer,
  expectedBytes: number,
  expectedBody?: Buffer,
): Promise<Driven> {
  const deadline = performance.now() + phaseMs
  let left = count
  let replies = 0
  let body = 0
  let written = 0
  let read = 0
  await Promise.all(
    Array.from({ length: Math.min(connections, count) }, async () => {
      const socket = connect({ ...endpoint, noDelay: true })
      const replyOf = replyReader(socket)
      while (left > 0 && performance.now() < deadline) {
        left--
        socket.write(request)
        const reply = await replyOf()
        if (reply.status !== 200 || reply.body.length !== expectedBytes) {
          throw new Error(`reply ${replies}: status ${reply.status}, ${reply.body.length} bytes`)
        }
        if (expectedBody && !reply.body.equals(expectedBody)) throw new Error(`reply ${replies}: other bytes`)
        replies++
        body += reply.body.length
      }
      socket.end()
      await new Promise<void>((resolve) => socket.once('close', () => resolve()))
      written += socket.bytesWritten
      read += socket.bytesRead
    }),
  )
  return { replies, written, read, body, expectedBody: replies * expectedBytes }
}

/** Reads replies with a content-length or in chunks off a connection, one at a time. */
function replyReader(socket: Socket): () => Promise<{ status: number; body: Buffer }> {
  let buffered: Buffer[] = []
  let bytes = 0
  let wake: (() => void) | undefined
  let ended: Error | undefined
  socket.on('data', (chunk) => {
    buffered.push(chunk)
    bytes += chunk.length
    wake?.()
  })
  socket.on('error', (error: Error) => {
    ended = error
    wake?.()
  })
  socket.once('end', () => {
    ended ??= new Error('the connection ended in the middle of a reply')
    wake?.()
  })
  const more = async (): Promise<void> => {
    if (ended) throw ended
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  const take = (count: number): Buffer => {
    const whole = buffered.length === 1 ? (buffered[0] as Buffer) : Buffer.concat(buffered)
    const rest = whole.subarray(count)
    buffered = rest.length === 0 ? [] : [rest]
    bytes = rest.length
    return whole.subarray(0, count)
  }
  return async () => {
    let headEnd = -1
    while (headEnd < 0) {
      if (bytes === 0) await more()
      const whole = Buffer.concat(buffered)
      buffered = [whole]
      headEnd = whole.indexOf('\r\n\r\n')
      if (headEnd < 0) await more()
    }
    const head = take(headEnd + 4).toString('latin1')
    const status = Number(head.slice(9, 12))
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
    if (length === undefined) throw new Error(`a reply without content-length: ${head.slice(0, 200)}`)
    while (bytes < Number(length)) await more()
    return { status, body: take(Number(length)) }
  }
}

function getRequest(size: number): Buffer {
  return Buffer.from(`GET /echo?size=${size} HTTP/1.1\r\nhost: ${serviceAuthority}\r\n\r\n`)
}

function postRequest(body: Buffer): Buffer {
  const head = `POST /echo HTTP/1.1\r\nhost: ${serviceAuthority}\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

/** Bytes whose order matters: 32-bit counters, so that a swapped or repeated piece is found. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE((at * 2654435761) >>> 0, at)
  return bytes
}

function elapsed(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
