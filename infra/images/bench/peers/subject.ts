/** What the bench can measure: something that stands between a load and an application. */
import type { ListenerAddress } from '../../kit/net/address.js'
import type { RunningImage, Workspace } from '../../kit/testing.js'
import type { Peer } from './programs.js'

export interface Subject {
  readonly name: string
  /** It shows what Node itself takes: the ratio of ours to it is told. */
  readonly isFloor?: true
  /** Why it cannot be had on this machine; absent where it always can. */
  missing?(): string | undefined
  /** `nodeArguments` go to the processes that are Node's, for profiles; others take no notice. */
  start(
    workspace: Workspace,
    application: ListenerAddress,
    nodeArguments?: readonly string[],
  ): Promise<RunningSubject>
}

export interface RunningSubject {
  /** Where the load connects. */
  readonly entry: ListenerAddress
  /** The processes that are charged. CPU per request is given per hop: their mean. */
  readonly hops: readonly { readonly name: string; readonly pid: number }[]
  /** By default at once; SIGTERM lets a profile be written. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** One of ours, by its only listener that is not the admin's. */
export function ofImage(image: RunningImage, listener: string): Peer {
  return {
    pid: image.pid,
    address: image.listeners[listener] as ListenerAddress,
    async stop(signal = 'SIGKILL') {
      await image.stop(signal)
    },
  }
}

/** One process between load and application. */
export function oneHop(proxy: Peer): RunningSubject {
  return {
    entry: proxy.address,
    hops: [{ name: 'proxy', pid: proxy.pid }],
    stop: (signal) => proxy.stop(signal),
  }
}

/** Two processes with an encrypted leg between them. */
export function twoHops(outbound: Peer, inbound: Peer): RunningSubject {
  return {
    entry: outbound.address,
    hops: [
      { name: 'outbound', pid: outbound.pid },
      { name: 'inbound', pid: inbound.pid },
    ],
    async stop(signal) {
      await outbound.stop(signal)
      await inbound.stop(signal)
    },
  }
}
