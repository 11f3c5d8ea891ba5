/** Which of several upstreams a connection goes to. */
import type { RouteConfig } from './config.js'

type Address = Exclude<RouteConfig['to'], readonly unknown[]>

/** Connections that are being opened or stand, by `host:port`; outlives the routes of a reload. */
export type OpenConnections = Map<string, number>

export interface Choice {
  readonly address: Address
  /** Call it once, when the connection is over. */
  readonly release: () => void
}

/**
 * Upstreams take turns, or the one with the fewest connections is taken, of several the next in turn. Addresses that are
 * named twice are two turns and one count.
 */
export function createBalancer(
  { to, balance }: Pick<RouteConfig, 'to' | 'balance'>,
  open: OpenConnections,
): () => Choice {
  const upstreams = (Array.isArray(to) ? to : [to]).map((address) => ({
    address,
    name: `${address.host}:${address.port}`,
  }))
  let turn = 0
  const countOf = (index: number) => open.get(upstreams[index]?.name ?? '') ?? 0
  const next = (): number => {
    let best = turn
    if (balance === 'least-connections')
      for (let step = 1; step < upstreams.length; step += 1) {
        const index = (turn + step) % upstreams.length
        if (countOf(index) < countOf(best)) best = index
      }
    turn = (best + 1) % upstreams.length
    return best
  }
  return () => {
    const { address, name } = upstreams[next()] as (typeof upstreams)[number]
    open.set(name, (open.get(name) ?? 0) + 1)
    return {
      address,
      release: () => {
        const left = (open.get(name) ?? 1) - 1
        if (left > 0) open.set(name, left)
        else open.delete(name)
      },
    }
  }
}
