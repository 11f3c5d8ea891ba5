/**
 * Runs traffic through a pair of tunnels for long enough that a leak shows: many requests, many connections, resets and
 * certificate rotations in between. Prints the slope of each process's memory and fails on a lost or wrong byte.
 *
 *     tsx infra/images/tunnel/endurance.ts [--requests 2000000] [--connections 50000] [--concurrency 16]
 */
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { memoryBytes } from '../bench/measure.js'
import { createWorkspace, listenTcp } from '../shared/testing.js'
import { startTunnelPair } from './pair.js'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '2000000' },
    connections: { type: 'string', default: '50000' },
    concurrency: { type: 'string', default: '16' },
  },
})
const totalRequests = Number(values.requests)
const totalConnections = Number(values.connections)
const perConnection = Math.max(1, Math.round(totalRequests / totalConnections))
const samples = 40

const workspace = createWorkspace()
const upstream = await listenTcp((socket) => {
  socket.on('data', (chunk) => {
    if (!socket.write(chunk)) socket.pause()
  })
  socket.on('drain', () => socket.resume())
  socket.on('end', () => socket.end())
})
const pair = await startTunnelPair(workspace, upstream)
const hops = [
  { name: 'outbound', image: pair.outbound },
  { name: 'inbound', image: pair.inbound },
]
const memory: { readonly requests: number; readonly rss: readonly number[] }[] = []
const totals = { connections: 0, requests: 0, bytes: 0, resets: 0, errors: 0 }

/** One connection: `perConnection` echoes of 1 KiB, each compared; one in 50 connections ends with a reset. */
async function oneConnection(index: number): Promise<void> {
  const socket = connect({ ...pair.entry, allowHalfOpen: true, noDelay: true })
  const message = Buffer.alloc(1024, index % 251)
  await new Promise<void>((resolve, reject) => {
    let received = 0
    let left = perConnection
    socket.on('connect', () => socket.write(message))
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      if (chunk.some((byte) => byte !== index % 251)) reject(new Error('a wrong byte'))
      received += chunk.length
      if (received < message.length) return
      received -= message.length
      totals.requests += 1
      totals.bytes += message.length
      left -= 1
      if (left > 0) socket.write(message)
      else if (index % 50 === 0) {
        totals.resets += 1
        socket.resetAndDestroy()
        resolve()
      } else socket.end()
    })
    socket.on('end', () => {
      if (left === 0 && received === 0) resolve()
      else reject(new Error('the stream ended early'))
    })
  })
}

/** Least-squares slope, bytes per 1 000 requests, over the second half: the first half fills caches and pools. */
function slope(hop: number): number {
  const half = memory.slice(memory.length >>> 1)
  const meanX = half.reduce((sum, { requests }) => sum + requests, 0) / half.length
  const meanY = half.reduce((sum, { rss }) => sum + (rss[hop] as number), 0) / half.length
  const covariance = half.reduce(
    (sum, { requests, rss }) => sum + (requests - meanX) * ((rss[hop] as number) - meanY),
    0,
  )
  const variance = half.reduce((sum, { requests }) => sum + (requests - meanX) ** 2, 0)
  return (covariance / variance) * 1000
}

let next = 0
const started = Date.now()
async function lane(): Promise<void> {
  while (next < totalConnections) {
    const index = next
    next += 1
    try {
      await oneConnection(index)
    } catch (error) {
      totals.errors += 1
      console.error(`connection ${index}: ${String(error)}`)
    }
    totals.connections += 1
    if (totals.connections % Math.ceil(totalConnections / samples) === 0) {
      memory.push({ requests: totals.requests, rss: hops.map(({ image }) => memoryBytes(image.pid).rss) })
      process.stderr.write(
        `\r${totals.connections} of ${totalConnections} connections, ${totals.errors} errors `,
      )
    }
    // A reload in the middle may cost nothing.
    if (totals.connections === totalConnections >>> 1)
      for (const { image } of hops) image.process.kill('SIGHUP')
  }
}
await Promise.all(Array.from({ length: Number(values.concurrency) }, lane))
process.stderr.write('\n')

const expected = totalConnections * perConnection
const upSent = await pair.outbound.metric('meshbench_sent_bytes_total', 'upstream')
const down = await pair.inbound.metric('meshbench_received_bytes_total', 'downstream')
console.log(
  `${totals.requests} of ${expected} requests, ${totals.connections} connections, ${totals.resets} resets by us`,
)
console.log(`${totals.errors} errors, ${((Date.now() - started) / 1000).toFixed(0)} s`)
console.log(`bytes sent by us ${totals.bytes}, carried by outbound ${upSent}, received by inbound ${down}`)
for (const [hop, { name }] of hops.entries()) {
  const first = memory[0]?.rss[hop] ?? 0
  const last = memory.at(-1)?.rss[hop] ?? 0
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
  console.log(
    `${name}: ${mib(first)} → ${mib(last)} MiB, slope ${(slope(hop) / 1024).toFixed(2)} KiB per 1 000 requests`,
  )
}
const streams = await pair.inbound.metric('meshbench_hbone_connections')
console.log(`TLS connections at the end: ${streams}`)
await pair.stop()
upstream.close()
workspace.remove()
process.exitCode =
  totals.errors === 0 && totals.requests === expected && upSent === totals.bytes && down === totals.bytes
    ? 0
    : 1
