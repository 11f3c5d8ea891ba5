/**
 * `npm run bench:memory`: what a hop holds at rest beside a Node that does nothing, and what 1 000 idle HTTP/2 connections
 * add, plain and with mutual TLS, beside what TLS connections cost a Node that does nothing with them. Proportional memory
 * (PSS), as the kernel counts it; no collection is forced.
 *
 *     npm run bench:memory -- [--connections 1000] [--rounds 3]
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { clientPreface, frameType } from '../kit/h2/frames.js'
import { frame } from '../kit/h2/testkit.js'
import type { ListenerAddress } from '../kit/net/address.js'
import {
  createTestAuthority,
  createWorkspace,
  startImage,
  trustDomain,
  writeWorkload,
} from '../kit/testing.js'
import { tlsSettings } from '../kit/tls/identities.js'
import { startTunnelPair } from '../tunnel/pair.js'
import { proportionalBytes } from './counters.js'
import { readFlags } from './flags.js'
import { type Peer, freeAddress, startNode } from './peers/programs.js'
import { ofImage } from './peers/subject.js'
import { proxyConfig } from './proxy-config.js'

const { connections, rounds } = readFlags({ connections: 1000, rounds: 3 })
/** What a process still does after it was started or connected to is over then. */
const settleMs = 1500

const mib = (pid: number): number => proportionalBytes(pid) / 2 ** 20

/** Opens idle HTTP/2 connections, each past its SETTINGS, and returns what they add, MiB. */
async function idle(pid: number, dial: () => Socket): Promise<number> {
  const before = mib(pid)
  const sockets: Socket[] = []
  for (let i = 0; i < connections; i += 1) {
    const socket = dial()
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(Buffer.concat([clientPreface, frame(frameType.settings, 0, 0)]))
    await once(socket, 'data')
  }
  await sleep(settleMs)
  const added = mib(pid) - before
  for (const socket of sockets) socket.destroy()
  return added
}

const workspace = createWorkspace()
const authority = await createTestAuthority()
const client = await writeWorkload(workspace, authority, 'idle-client')
const server = await writeWorkload(workspace, authority, 'idle-server')
const path = (file: string): string => join(workspace.dir, file)
const tls = {
  cert: readFileSync(path(client.certFile)),
  key: readFileSync(path(client.keyFile)),
  ca: readFileSync(path(client.caFile)),
  ...tlsSettings,
  ALPNProtocols: ['h2'],
  checkServerIdentity: () => undefined,
}
const dialPlain = ({ address }: Peer): Socket => connect(address)
const dialTls = ({ address }: Peer): Socket => connectTls({ ...address, ...tls })

const upstream = { host: '127.0.0.1', port: 9 }
async function startProxy(listener: object): Promise<Peer> {
  const cluster = { endpoints: [upstream], transport: 'plain' }
  const config = proxyConfig(listener, cluster, { trustDomain, identity: server })
  return ofImage(await startImage('proxy', workspace, config), 'downstream')
}

/** A Node with a program that is not ours: it gets host and port, and then what is given. */
async function startProgram(program: string, ...args: readonly string[]): Promise<Peer> {
  const at: ListenerAddress = await freeAddress()
  return startNode(['-e', program, at.host, String(at.port), ...args], at)
}

const doesNothing = `require('node:tls')
const [host, port] = process.argv.slice(1)
require('node:http').createServer().listen(port, host)`
/** Takes TLS connections, answers each with a byte, and keeps them. */
const onlyTls = `const [host, port, ...files] = process.argv.slice(1)
const [cert, key, ca] = files.map((file) => require('node:fs').readFileSync(file))
const server = require('node:tls').createServer({ cert, key, ca, requestCert: true, ALPNProtocols: ['h2'] }, (socket) => {
  socket.on('error', () => {})
  socket.resume()
  socket.write('x')
})
server.listen(port, host)`

interface Row {
  readonly start: () => Promise<Peer>
  /** What is printed of it at rest, and of what idle connections add to it; absent: nothing. */
  readonly rest?: string
  readonly added?: string
  readonly dial?: (peer: Peer) => Socket
}

const rows: readonly Row[] = [
  { rest: 'Node with an HTTP server that does nothing', start: () => startProgram(doesNothing) },
  {
    added: `added by ${connections} idle TLS connections, Node alone`,
    start: () => startProgram(onlyTls, path(server.certFile), path(server.keyFile), path(server.caFile)),
    dial: dialTls,
  },
  {
    ...{ rest: 'proxy at rest', added: `added by ${connections} idle connections of h2c` },
    start: () => startProxy({ transport: 'plain' }),
    dial: dialPlain,
  },
  {
    added: `added by ${connections} idle connections of h2, mutual TLS`,
    start: () => startProxy({ transport: 'mtls' }),
    dial: dialTls,
  },
  {
    rest: 'tunnel at rest',
    async start() {
      const pair = await startTunnelPair(workspace, upstream)
      return { ...ofImage(pair.inbound, 'inbound'), stop: () => pair.stop() }
    },
  },
]

const found = new Map<string, number[]>()
const note = (what: string | undefined, value: number) =>
  what !== undefined && found.set(what, [...(found.get(what) ?? []), value])
try {
  for (let round = 0; round < rounds; round += 1)
    for (const { start, rest, added, dial } of rows) {
      const peer = await start()
      await sleep(settleMs)
      note(rest, mib(peer.pid))
      if (dial) note(added, await idle(peer.pid, () => dial(peer)))
      await peer.stop()
    }
} finally {
  workspace.remove()
}
for (const [what, values] of found)
  console.log(`${what.padEnd(48)} ${values.map((value) => value.toFixed(1)).join(', ')} MiB`)
