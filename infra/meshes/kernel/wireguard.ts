/**
 * WireGuard between the nodes of client and server, as a mesh has it that encrypts below L4: the kernel's own where there
 * is one, else `wireguard-go`, which is a process in user space and is charged as one.
 */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Arm, Component, Fact, HopCounters, ProofCheck, Scope, Unmet } from '../../../harness/model.js'
import { findProgram } from '../../../harness/process/exec.js'
import type { ArmNetwork, NamespaceHost } from './arm-network.js'
import { refusalInNamespace } from './needs.js'

export type WireguardMaker = 'kernel' | 'wireguard-go'

const device = 'wg0'
const port = 51_820
/** What a packet of 1500 bytes has room for once it is wrapped: 80 bytes are WireGuard's over IPv6, 60 over IPv4. */
const innerMtu = 1420
const readyTimeoutMs = 15_000

/** Undefined where neither is to be had. */
export async function findWireguard(): Promise<WireguardMaker | undefined> {
  if (await canMake(`ip link add ${device} type wireguard`)) return 'kernel'
  const found = await findProgram('wireguard-go')
  return found !== undefined && (await canMake(`ip tuntap add dev ${device} mode tun`))
    ? 'wireguard-go'
    : undefined
}

const canMake = async (command: string) => (await refusalInNamespace(['sh', '-c', command])) === undefined

export async function unmetWireguard(): Promise<readonly Unmet[]> {
  const need = 'WireGuard, for the path l4-kernel-wireguard'
  if ((await findProgram('wg')) === undefined)
    return [{ need, found: 'no wg on the PATH', remedy: 'install wireguard-tools, or leave the path out' }]
  if ((await findWireguard()) !== undefined) return []
  const program = await findProgram('wireguard-go')
  return [
    {
      need,
      found: `none in this kernel, and ${program === undefined ? 'no wireguard-go on the PATH' : 'wireguard-go may not open /dev/net/tun'}`,
      remedy: 'load the kernel module wireguard, or install wireguard-go, which runs in user space',
    },
  ]
}

export function wireguardFact(maker: WireguardMaker | undefined): Fact {
  return {
    name: 'WireGuard',
    value:
      maker === 'wireguard-go'
        ? 'wireguard-go, in user space: on the bill as a hop, and dearer than a kernel that has WireGuard'
        : 'the kernel’s own: on nobody’s bill but the host’s',
  }
}

/** One end of the tunnel between two nodes. */
export interface WireguardEnd {
  readonly component: Component
  readCounters(): Promise<HopCounters>
}

interface End {
  readonly node: 'client' | 'server'
  readonly other: 'client' | 'server'
  readonly component: Component
  /** Where its key is, and the socket that `wg` speaks to wireguard-go through. */
  readonly folder: string
  readonly publicKey: string
}

export interface JoinOptions {
  readonly arm: Arm
  readonly network: ArmNetwork
  readonly host: NamespaceHost
  readonly scope: Scope
}

/** Leads what pods of the two nodes send each other through WireGuard. */
export async function joinByWireguard(options: JoinOptions): Promise<readonly WireguardEnd[]> {
  const { network } = options
  const maker = await findWireguard()
  if (!maker) throw new Error('no WireGuard on this machine')
  const ends = await Promise.all((['client', 'server'] as const).map((node) => prepareEnd(node, options)))
  for (const end of ends) await startEnd(maker, end, options)
  for (const end of ends) {
    const peer = ends.find(({ node }) => node === end.other)
    if (peer) await connectEnd(end, peer, network)
    const pod = await network.pod(end.node, end.node)
    await pod.namespace.run(['ip', 'link', 'set', 'eth0', 'mtu', String(innerMtu)])
  }
  return ends.map((end) => ({
    component: end.component,
    readCounters: async () =>
      readTransfer(await network.nodes[end.node].run(wgCommand(end, ['show', device, 'transfer']))),
  }))
}

async function prepareEnd(node: End['node'], { arm, scope }: JoinOptions): Promise<End> {
  const name = `wireguard-${node}`
  const folder = join(scope.stateDir, `${arm.id.replace(/[^A-Za-z0-9.-]+/g, '_')}-${name}`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const pair = generateKeyPairSync('x25519')
  const base64 = (text = '') => Buffer.from(text, 'base64url').toString('base64')
  await writeFile(join(folder, 'key'), base64(pair.privateKey.export({ format: 'jwk' }).d), { mode: 0o600 })
  return {
    node,
    other: node === 'client' ? 'server' : 'client',
    component: { name: `${arm.id}/${name}`, arm: arm.id, category: 'l4', node },
    folder,
    publicKey: base64(pair.publicKey.export({ format: 'jwk' }).x),
  }
}

/** wireguard-go keeps its socket in one folder of the machine: each end gets one of its own in that place. */
const apart = (folder: string, argv: readonly string[]) => [
  ...['unshare', '--mount', 'sh', '-c'],
  'cd "$0" && mount -t tmpfs tmpfs /run && mkdir /run/wireguard && mount --bind . /run/wireguard && exec "$@"',
  ...[folder, ...argv],
]

const wgCommand = ({ folder }: End, args: readonly string[]) => apart(folder, ['wg', ...args])

async function startEnd(maker: WireguardMaker, end: End, { network, host }: JoinOptions): Promise<void> {
  const node = network.nodes[end.node]
  if (maker === 'kernel') return void (await node.run(['ip', 'link', 'add', device, 'type', 'wireguard']))
  const name = 'wireguard-go'
  await host.deploy({
    component: end.component,
    program: { kind: 'binary', name, argv: apart(end.folder, [name, '--foreground', device]) },
    listeners: [],
    files: {},
    config: () => '',
  })
  const deadline = Date.now() + readyTimeoutMs
  for (;;) {
    const failure = host.health(end.component.name)
    if (failure) throw new Error(`${failure.message}: ${failure.detail ?? ''}`)
    const there = await node.run(wgCommand(end, ['show', device])).catch((error: unknown) => error as Error)
    if (typeof there === 'string') return
    if (Date.now() > deadline) throw there
    await sleep(50)
  }
}

async function connectEnd(end: End, peer: End, network: ArmNetwork): Promise<void> {
  const node = network.nodes[end.node]
  const range = network.podRange(peer.node)
  const endpoint = `${network.nodeAddress(peer.node)}:${port}`
  await node.run(
    wgCommand(end, [
      ...['set', device, 'listen-port', String(port), 'private-key', join(end.folder, 'key')],
      ...['peer', peer.publicKey, 'endpoint', endpoint, 'allowed-ips', range],
    ]),
  )
  await node.run(['ip', 'link', 'set', device, 'up'])
  await node.run(['ip', 'route', 'replace', range, 'dev', device])
}

/** Bytes of `wg show … transfer`: key, received, sent. */
export function readTransfer(text: string): HopCounters {
  const [, receivedBytes = 0, sentBytes = 0] = text.trim().split('\t').map(Number)
  return { receivedBytes, sentBytes }
}

/** What went through the tunnel while one request was made. */
export function proveTransfer(
  ends: readonly WireguardEnd[],
  before: readonly HopCounters[],
  after: readonly HopCounters[],
): readonly ProofCheck[] {
  return ends.map(({ component }, index) => {
    const sent = (after[index]?.sentBytes ?? 0) - (before[index]?.sentBytes ?? 0)
    return {
      name: `bytes encrypted by WireGuard on node ${component.node}`,
      ok: sent > 0,
      expected: 'at least 1',
      actual: String(sent),
    }
  })
}
