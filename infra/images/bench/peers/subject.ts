/** What the bench can measure: something that stands between a load and an application. */
import type { ListenerAddress } from '../../kit/net/address.js'
import { type RunningImage, type Workspace, createTestAuthority } from '../../kit/testing.js'
import { type Peer, type PeerFiles, type Place, type Program, freeAddress, missing } from './programs.js'

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

type Start = (workspace: Workspace, place: Place) => Promise<Peer>

/** A peer that is one process. */
export function onePeer(name: string, program: Program, start: Start): Subject {
  return {
    name,
    missing: () => missing(program),
    start: async (workspace, to) => oneHop(await start(workspace, { at: await freeAddress(), to })),
  }
}

/** A peer that is two, with mutual TLS between them, of one authority. */
export function twoPeers(name: string, program: Program, start: Start): Subject {
  return {
    name,
    missing: () => missing(program),
    async start(workspace, application) {
      const authority = await createTestAuthority()
      const issue = async (end: string): Promise<PeerFiles> => {
        const id = `spiffe://${authority.trustDomain}/ns/bench/sa/${end}`
        const { certPem, keyPem } = await authority.issue(id)
        const write = (suffix: string, text: string) =>
          workspace.write(`${name.replaceAll(' ', '-')}-${end}-${suffix}.pem`, text)
        return {
          cert: write('cert', certPem),
          key: write('key', keyPem),
          both: write('both', `${certPem}\n${keyPem}`),
          ca: write('ca', authority.caPem),
        }
      }
      const [client, server] = [await issue('client'), await issue('server')]
      const [entry, via] = [await freeAddress(), await freeAddress()]
      const inbound = await start(workspace, { at: via, to: application, inbound: server })
      return twoHops(await start(workspace, { at: entry, to: via, outbound: client }), inbound)
    },
  }
}
