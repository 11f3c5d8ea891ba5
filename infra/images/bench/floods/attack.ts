/** Sends a flood for a while, over connections that are opened again when the target closes them. */
import { type Socket, connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ListenerAddress } from '../../kit/net/address.js'
import { tlsSettings } from '../../kit/tls/identities.js'
import type { FloodKind, FloodRequest } from './kinds.js'

export interface AttackTarget {
  readonly address: ListenerAddress
  /** Undefined: no TLS. */
  readonly pem: { readonly cert: string; readonly key: string; readonly ca: string } | undefined
  readonly request: FloodRequest
}

export interface AttackOutcome {
  readonly bytes: number
  /** Connections that the target closed. */
  readonly closed: number
}

/** After a connection was closed, ms: who floods has patience enough. */
const reconnectMs = 10
/** Bursts of one connection before others have their turn. */
const burstsInARow = 10

/** Counts its time from the first connection on. `mayGoOn` is asked before each turn, so that a sender can be held to a share of a CPU. */
export async function attack(
  kind: FloodKind,
  target: AttackTarget,
  seconds: number,
  mayGoOn: () => boolean = () => true,
): Promise<AttackOutcome> {
  let isOver = false
  let bytes = 0
  let closed = 0
  const sockets = new Set<Socket>()
  let begin = (): void => {}
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const open = (): void => {
    if (isOver) return
    const socket = connectTarget(target)
    sockets.add(socket)
    let id = 1
    const send = (): void => {
      for (let i = 0; i < burstsInARow && !isOver && !socket.destroyed && mayGoOn(); i += 1) {
        const next = kind.burst(target.request, id)
        if (next.bytes.length === 0) return
        id = next.nextId
        bytes += next.bytes.length
        if (!socket.write(next.bytes)) return
      }
      if (!isOver && !socket.destroyed) setTimeout(send, 1)
    }
    socket.once(target.pem === undefined ? 'connect' : 'secureConnect', () => {
      socket.write(kind.open(target.request))
      send()
      begin()
    })
    socket.on('drain', send)
    if (!kind.isDeaf) socket.resume()
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      if (isOver) return
      closed += 1
      setTimeout(open, reconnectMs)
    })
  }
  for (let i = 0; i < (kind.connections ?? 1); i += 1) open()
  await begun
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  isOver = true
  for (const socket of sockets) socket.destroy()
  return { bytes, closed }
}

function connectTarget({ address, pem }: AttackTarget): Socket {
  if (pem === undefined) return connectTcp({ ...address, noDelay: true })
  return connectTls({
    ...address,
    ...pem,
    ...tlsSettings,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
  })
}
