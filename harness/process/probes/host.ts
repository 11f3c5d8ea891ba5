/** CPU time of the whole host from `/proc/stat`: what no component accounts for shows only here. */
import { readFileSync, readdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { defined } from '../../model/defined.js'
import type { HostReading } from '../../model.js'
import { textOf } from './process.js'

const nsPerTick = 10_000_000

/** Reads the host, and this process, whose CPU time is on the host's bill, too. */
export async function readHost(): Promise<HostReading> {
  // At once, so that the counters and the instant beside them belong together.
  const text = readFileSync('/proc/stat', 'utf8')
  const atNs = Number(process.hrtime.bigint())
  const own = process.cpuUsage()
  return {
    ...parseHostStat(text),
    ...defined({ ksoftirqdNs: readKsoftirqd() }),
    cpus: cpus().length,
    atNs,
    orchestratorCpuNs: (own.user + own.system) * 1000,
  }
}

/** One for each CPU, as long as the kernel runs. */
let ksoftirqd: readonly string[] | undefined

function findKsoftirqd(): readonly string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => textOf(`/proc/${pid}/comm`).startsWith('ksoftirqd/'))
}

/** Undefined where this process does not see the kernel's threads, as in a container. */
function readKsoftirqd(): number | undefined {
  try {
    ksoftirqd ??= findKsoftirqd()
    const times = ksoftirqd.map((pid) =>
      Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ', 1)[0]),
    )
    return times.length === 0 ? undefined : times.reduce((sum, ns) => sum + ns, 0)
  } catch {
    return undefined
  }
}

/** First line of `/proc/stat`: user nice system idle iowait irq softirq steal … in ticks (proc(5)). */
function parseHostStat(
  text: string,
): Omit<HostReading, 'cpus' | 'atNs' | 'ksoftirqdNs' | 'orchestratorCpuNs'> {
  const line = text.slice(0, text.indexOf('\n'))
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) * nsPerTick)
  return {
    userNs: user + nice,
    systemNs: system,
    idleNs: idle,
    iowaitNs: iowait,
    irqNs: irq,
    softirqNs: softirq,
    stealNs: steal,
  }
}
