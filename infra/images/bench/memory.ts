/**
 * `npm run bench:memory`: what a hop holds at rest beside a Node that does nothing, and what 1 000 idle HTTP/2 connections
 * add, plain and with mutual TLS, beside what TLS connections cost a Node that does nothing with them. Proportional memory (PSS), as the kernel counts it; no collection is forced.
 *
 *     npm run bench:memory -- [--connections 1000] [--rounds 3]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { parseArgs } from 'node:util'
import { clientPreface, frameType } from '../kit/h2/frames.js'
import { frame } from '../kit/h2/testkit.js'
import type { ListenerAddress } from '../kit/net/address.js'
import {
  type RunningImage,
  createTestAuthority,
  createWorkspace,
  startImage,
  trustDomain,
  writeWorkload,
} from '../kit/testing.js'
import { tlsSettings } from '../kit/tls/identities.js'
import { startTunnelPair } from '../tunnel/pair.js'
import { proportionalBytes } from './counters.js'
import { proxyConfig } from './proxy-config.js'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
  },
})
const count = Number(values.connections)
/** What a process still does after it was started or connected to is over then. */
const settleMs = 1500

const print = (what: string, mib: readonly number[]): void => {
  const all = mib.map((n) => n.toFixed(1)).join(', ')
  console.log(`${what.padEnd(48)} ${all} MiB`)
}
const mib = (pid: number): number => proportionalBytes(pid) / 2 ** 20

/** Opens idle HTTP/2 connections, each past its SETTINGS, and returns what they add, MiB. */
async function idle(pid: number, dial: () => Socket, ready: 'connect' | 'secureConnect'): Promise<number> {
  const before = mib(pid)
  const sockets: Socket[] = []
  for (let i = 0; i < count; i += 1) {
    const socket = dial()
    sockets.push(socket)
    socket.on('error', () => {})
    await once(socket, ready)
    socket.write(Buffer.concat([clientPreface, frame(frameType.settings, 0, 0)]))
    await once(socket, 'data')
  }
  await sleep(settleMs)
  const added = mib(pid) - before
  for (const socket of sockets) socket.destroy()
  return added
}

const doesNothing = `require('node:tls')
require('node:http').createServer().listen(0, '127.0.0.1', () => console.log('{}'))`
/** Takes TLS connections, answers each with a byte, and keeps them. */
const onlyTls = `const { readFileSync } = require('node:fs')
const [cert, key, ca] = process.argv.slice(1).map((file) => readFileSync(file))
const server = require('node:tls').createServer({ cert, key, ca, requestCert: true, ALPNProtocols: ['h2'] }, (socket) => {
  socket.on('error', () => {})
  socket.resume()
  socket.write('x')
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify(server.address())))`

/** A Node with a program that is not ours, once it says where it listens. */
async function startNode(
  program: string,
  ...files: readonly string[]
): Promise<{ readonly pid: number; readonly port: number; stop(): Promise<void> }> {
  const child = spawn(process.execPath, ['-e', program, ...files])
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
  await sleep(settleMs)
  return {
    pid: child.pid as number,
    port: (JSON.parse(line) as { port?: number }).port ?? 0,
    async stop() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

const workspace = createWorkspace()
const authority = await createTestAuthority()
const client = await writeWorkload(workspace, authority, 'idle-client')
const server = await writeWorkload(workspace, authority, 'idle-server')
const upstream = { host: '127.0.0.1', port: 9 }
const startProxy = (listener: object): Promise<RunningImage> => {
  const cluster = { endpoints: [upstream], transport: 'plain' }
  return startImage('proxy', workspace, proxyConfig(listener, cluster, { trustDomain, identity: server }))
}
const path = (file: string): string => join(workspace.dir, file)
const read = (file: string): Buffer => readFileSync(path(file))
const tls = {
  cert: read(client.certFile),
  key: read(client.keyFile),
  ca: read(client.caFile),
  ...tlsSettings,
  ALPNProtocols: ['h2'],
  checkServerIdentity: () => undefined,
}

const rows = {
  node: [] as number[],
  nodeTls: [] as number[],
  proxy: [] as number[],
  tunnel: [] as number[],
  h2c: [] as number[],
  mtls: [] as number[],
}
try {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const bare = await startNode(doesNothing)
    rows.node.push(mib(bare.pid))
    await bare.stop()
    const nodeTls = await startNode(onlyTls, path(server.certFile), path(server.keyFile), path(server.caFile))
    const bareAddress = { host: '127.0.0.1', port: nodeTls.port }
    rows.nodeTls.push(await idle(nodeTls.pid, () => connectTls({ ...bareAddress, ...tls }), 'secureConnect'))
    await nodeTls.stop()
    const plain = await startProxy({ transport: 'plain' })
    await sleep(settleMs)
    rows.proxy.push(mib(plain.pid))
    const plainAddress = plain.listeners['downstream'] as ListenerAddress
    rows.h2c.push(await idle(plain.pid, () => connect(plainAddress), 'connect'))
    await plain.stop('SIGKILL')
    const encrypted = await startProxy({ transport: 'mtls' })
    await sleep(settleMs)
    const tlsAddress = encrypted.listeners['downstream'] as ListenerAddress
    rows.mtls.push(await idle(encrypted.pid, () => connectTls({ ...tlsAddress, ...tls }), 'secureConnect'))
    await encrypted.stop('SIGKILL')
    const pair = await startTunnelPair(workspace, upstream)
    await sleep(settleMs)
    rows.tunnel.push(mib(pair.inbound.pid))
    await pair.stop()
  }
} finally {
  workspace.remove()
}
print('Node with an HTTP server that does nothing', rows.node)
print('proxy at rest', rows.proxy)
print('tunnel at rest', rows.tunnel)
print(`added by ${count} idle TLS connections, Node alone`, rows.nodeTls)
print(`added by ${count} idle connections of h2c`, rows.h2c)
print(`added by ${count} idle connections of h2, mutual TLS`, rows.mtls)
