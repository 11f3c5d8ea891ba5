/** What a run asks of this host beside programs: that it rests, and room for the run's connections. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan, Platform, Unmet } from '../model.js'
import { readHost } from './probes/host.js'
import { textOf } from './probes/process.js'

const lookMs = 1_000

/** Share of the host that others use right now. */
export async function foreignShare(): Promise<number> {
  const before = await readHost()
  await sleep(lookMs)
  const after = await readHost()
  const hostNs = (after.atNs - before.atNs) * after.cpus
  const own = (after.orchestratorCpuNs ?? 0) - (before.orchestratorCpuNs ?? 0)
  const busy = (host: typeof before) => host.userNs + host.systemNs + host.irqNs + host.softirqNs
  return Math.min(1, Math.max(0, busy(after) - busy(before) - own) / hostNs)
}

/** What is said before the start of a run on a host that does not rest; undefined where it does, or is not this one. */
export function restlessText(share: number, { config }: Pick<Plan, 'config'>): string | undefined {
  const limit = config.validity.maxForeignCpuShare
  if (share <= limit) return undefined
  const percent = (part: number) => `${Math.round(part * 100)} %`
  return `others use ${percent(share)} of this host now, and trials are invalid above ${percent(limit)}: let it come to rest, or measure where nothing else runs`
}

export interface Room {
  /** Files that one process may open; undefined: as many as it likes. */
  readonly openFiles: number | undefined
  readonly localPorts: number
  /** Seconds that a port of loopback is taken after its connection. */
  readonly portSeconds: number
}

export function readRoom(): Room {
  const files = /^Max open files\s+(\d+)/m.exec(textOf('/proc/self/limits'))?.[1]
  const [first = 32_768, last = 60_999] = textOf('/proc/sys/net/ipv4/ip_local_port_range')
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number)
  // TIME_WAIT lasts a minute (TCP_TIMEWAIT_LEN); on loopback Linux takes a port again after a second where it may.
  const reuses = textOf('/proc/sys/net/ipv4/tcp_tw_reuse').trim() !== '0'
  return {
    openFiles: files === undefined ? undefined : Number(files),
    localPorts: last - first + 1,
    portSeconds: reuses ? 1 : 60,
  }
}

/** Files that a hop has open beside its connections: its program, pipes, listeners, epoll. */
const otherFiles = 64

/** Room that the plan's connections lack where its processes run on this host. */
export function unmetRoom(
  { cells }: Pick<Plan, 'cells'>,
  { builds }: Platform,
  room: Room,
): readonly Unmet[] {
  if (builds !== 'bundle') return []
  const connections = cells.reduce((most, { load }) => Math.max(most, load.connections), 0)
  const opened = cells
    .filter(({ load }) => load.engine === 'connect')
    .reduce((most, { load }) => Math.max(most, load.ratePerSecond ?? 0), 0)
  // A hop holds both ends of each.
  const files = 2 * connections + otherFiles
  const ports = Math.ceil(opened * room.portSeconds)
  return [
    ...(room.openFiles !== undefined && files > room.openFiles
      ? [
          {
            need: `${files} open files in one hop, for ${connections} connections on both of its sides`,
            found: `${room.openFiles} (\`ulimit -n\`)`,
            remedy: `raise it (\`ulimit -n ${files}\`), or ask for fewer connections`,
          },
        ]
      : []),
    ...(ports > room.localPorts
      ? [
          {
            need: `${ports} local ports, for ${opened} new connections per second of which each takes its port for ${room.portSeconds} s`,
            found: `${room.localPorts} (net.ipv4.ip_local_port_range)`,
            remedy:
              'lower the rate, widen the range, or let loopback take ports again (net.ipv4.tcp_tw_reuse)',
          },
        ]
      : []),
  ]
}
