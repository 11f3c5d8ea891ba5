/** An endurance run: traffic through a chain, certificates and config changed on the way, and the books afterwards. */
import { linearRegression } from 'simple-statistics'
import type { Workspace } from '../../kit/testing.js'
import { type Chain, type ChainPath, startChain } from './chain.js'
import { messageBytes, runHttp2Connection, startHttp2EchoServer } from './http2-ends.js'
import { type Totals, runConnection, startEchoServer } from './load.js'
import { memoryBytes } from '../counters.js'

export const enduranceProtocols = ['http1', 'h2', 'grpc'] as const

export interface EnduranceOptions {
  readonly path: ChainPath
  readonly protocol: (typeof enduranceProtocols)[number]
  readonly requests: number
  readonly connections: number
  /** Connections at the same time. */
  readonly concurrency: number
  /** Called now and then. */
  readonly onProgress?: (totals: Readonly<Totals>) => void
}

/** One sum that two sides counted: it has to be the same. */
export interface Account {
  readonly what: string
  readonly expected: number
  readonly counted: number
}

const samples = 80
/** Shares of the connections after which certificates, or configs, are replaced. */
const rotations = [0.25, 0.75]
const reloads = [0.5]
/** And as often in long runs. */
const reloadEveryMs = 30_000

/** Runs and closes everything it started. Requests that fail are in `totals.errors`; it rejects only when it cannot go on. */
export async function runEndurance(workspace: Workspace, options: EnduranceOptions) {
  const isHttp1 = options.protocol === 'http1'
  const upstream = await (isHttp1 ? startEchoServer() : startHttp2EchoServer())
  try {
    const chain = await startChain(workspace, upstream, options.path, { protocol: isHttp1 ? 'http1' : 'h2' })
    try {
      return await drive(chain, upstream.bytes, options)
    } finally {
      await chain.stop()
    }
  } finally {
    upstream.close()
  }
}

async function drive(
  chain: Chain,
  upstream: { readonly received: number; readonly sent: number },
  { protocol, requests, connections, concurrency, onProgress }: EnduranceOptions,
) {
  const perConnection = Math.max(1, Math.round(requests / connections))
  const totals: Totals = {
    ...{ connections: 0, requests: 0, resets: 0, sentBytes: 0, receivedBytes: 0, errors: [] },
  }
  const points: { readonly requests: number; readonly rss: readonly number[] }[] = []
  const at = (shares: readonly number[], count: number): boolean =>
    shares.some((share) => count === Math.round(share * connections))
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < connections) {
      const index = next
      next += 1
      if (at(rotations, index)) await chain.rotate()
      if (at(reloads, index)) chain.reload()
      if (index % Math.ceil(connections / samples) === 0) {
        const rss = chain.hops.map(({ image }) => memoryBytes(image.pid).rss)
        points.push({ requests: totals.requests, rss })
        onProgress?.(totals)
      }
      try {
        if (protocol === 'http1') await runConnection(chain.entry, index, perConnection, totals)
        else await runHttp2Connection(chain.entry, index, perConnection, totals, protocol === 'grpc')
      } catch (error) {
        totals.errors.push((error as Error).message)
      }
    }
  }
  const started = Date.now()
  const reloading = setInterval(() => {
    chain.reload()
  }, reloadEveryMs)
  await Promise.all(Array.from({ length: Math.min(concurrency, connections) }, lane))
  clearInterval(reloading)
  const seconds = (Date.now() - started) / 1000
  const asked = { protocol, requests: perConnection * connections, connections }
  return {
    totals,
    seconds,
    accounts: await balance(chain, totals, upstream, asked),
    memory: chain.hops.map(({ name }, hop) => ({
      name,
      firstBytes: points[0]?.rss[hop] ?? 0,
      lastBytes: points.at(-1)?.rss[hop] ?? 0,
      /** Least-squares slope of resident memory over the second half, bytes per 1 000 requests. */
      slopeBytes: slope(points.map((point) => [point.requests / 1000, point.rss[hop] as number])),
    })),
  }
}

/** What went in at one end of each leg against what came out at the other, in both directions. */
async function balance(
  { hops }: Chain,
  totals: Totals,
  upstream: { readonly received: number; readonly sent: number },
  { protocol, requests, connections }: Pick<EnduranceOptions, 'protocol' | 'requests' | 'connections'>,
): Promise<Account[]> {
  const sums = await Promise.all(
    hops.map(async ({ name, image }) => ({
      name,
      toServerIn: await image.metric('meshbench_received_bytes_total', 'downstream'),
      toServerOut: await image.metric('meshbench_sent_bytes_total', 'upstream'),
      toClientIn: await image.metric('meshbench_received_bytes_total', 'upstream'),
      toClientOut: await image.metric('meshbench_sent_bytes_total', 'downstream'),
      reloads: await image.metric('meshbench_config_reloads_total', 'ok'),
      refusedReloads: await image.metric('meshbench_config_reloads_total', 'refused'),
      requests: await image.metric('meshbench_requests_total', '2xx'),
    })),
  )
  const accounts: Account[] = []
  const same = (what: string, expected: number, counted: number) => accounts.push({ what, expected, counted })
  same('requests answered', requests, totals.requests)
  same('connections', connections, totals.connections)
  // Of HTTP/2 the waypoint counts content, and frames are on either side of it: its books are those of messages.
  const contentBytes = protocol === 'http1' ? undefined : requests * messageBytes[protocol]
  let before: Side | undefined = { name: 'us', out: totals.sentBytes, back: totals.receivedBytes }
  for (const { name, ...hop } of sums) {
    const isWaypoint = name === 'waypoint'
    const content = isWaypoint ? contentBytes : undefined
    if (before && content === undefined) {
      same(`bytes ${before.name} → ${name}`, before.out, hop.toServerIn)
      same(`bytes ${name} → ${before.name}`, hop.toClientOut, before.back)
    }
    same(`${name}: reloads refused`, 0, hop.refusedReloads)
    if (isWaypoint) same('waypoint: requests', requests, hop.requests)
    else {
      same(`${name}: bytes to the server`, hop.toServerIn, hop.toServerOut)
      same(`${name}: bytes to the client`, hop.toClientIn, hop.toClientOut)
    }
    if (content !== undefined)
      for (const way of ['toServerIn', 'toServerOut', 'toClientIn', 'toClientOut'] as const)
        same(`${name}: content, ${way}`, content, hop[way])
    // Two rotations and a reload; the watcher may take changes that come together as one.
    same(`${name}: reloaded`, 1, Math.min(1, hop.reloads))
    before = content === undefined ? { name, out: hop.toServerOut, back: hop.toClientIn } : undefined
  }
  if (before) {
    same(`bytes ${before.name} → upstream`, before.out, upstream.received)
    same(`bytes upstream → ${before.name}`, upstream.sent, before.back)
  }
  return accounts
}

/** What one side of a leg has sent on it, and what has come back. */
interface Side {
  readonly name: string
  readonly out: number
  readonly back: number
}

/** The first half fills caches, pools and the heap; the second has to be flat. */
const slope = (points: readonly [number, number][]): number =>
  linearRegression(points.slice(points.length >>> 1)).m
