/** The bill reconciles: what every thread of the host counts for itself is what the host was not idle for. */
import { readdir } from 'node:fs/promises'
import type { HostReading } from '../model.js'
import { readHost } from '../probes/host.js'
import { readThreads } from '../probes/process.js'
import { busyNs } from '../usage.js'
import { type Answer, median, tolerance } from './check.js'
import type { Rig } from './rig.js'

/**
 * Long enough that the host's steps of 10 ms are a small part of what it works, and busy enough that the interrupts that
 * find it idle are: no thread counts those.
 */
const spec = { ratePerSecond: 4000, warmupMs: 1000, durationMs: 6000 }
const repeats = 3

interface Reading {
  readonly host: HostReading
  /** Sum over all threads of the host. */
  readonly threadsNs: number
}

export async function checkBill(rig: Rig): Promise<Answer[]> {
  const server = await rig.echo()
  const runs: { host: number; threads: number; known: number }[] = []
  for (let repeat = 0; repeat < repeats; repeat++) {
    const edges: Reading[] = []
    const { result, serverCpuUs } = await rig.load('open-loop', spec, server, {
      async onEdge(edge) {
        edges.push(await readAll(edge))
      },
    })
    const [start, end] = edges
    if (!start || !end) throw new Error('the generator announced no edges')
    const cores = (ns: number) => ns / (end.host.atNs - start.host.atNs)
    const own = (end.host.orchestratorCpuNs ?? 0) - (start.host.orchestratorCpuNs ?? 0)
    runs.push({
      host: cores(busyNs(start.host, end.host)),
      threads: cores(end.threadsNs - start.threadsNs),
      known: cores((serverCpuUs + result.generatorCpuUs) * 1000 + own),
    })
  }
  await server.kill()
  const host = median(runs.map((run) => run.host))
  const base = { check: 'bill', tolerance: 0, rule: 'context' } as const
  return [
    {
      ...base,
      what: `CPU of the host at ${spec.ratePerSecond} req/s, by the sum of all its threads, median of ${repeats}`,
      unit: 'cores',
      expected: host,
      measured: median(runs.map((run) => run.threads)),
      tolerance: tolerance(host, 0.03),
      rule: 'near',
    },
    {
      ...base,
      what: 'of it server, generator and this process',
      unit: 'cores',
      expected: host,
      measured: median(runs.map((run) => run.known)),
    },
    {
      ...base,
      what: 'unaccounted: the host less these',
      unit: '% of the host',
      expected: 0,
      measured: median(runs.map((run) => (100 * (run.host - run.known)) / run.host)),
    },
  ]
}

/** Looking at all threads takes a while: it is done outside the window, and this process counts itself. */
async function readAll(edge: 'start' | 'end'): Promise<Reading> {
  if (edge === 'end') {
    const host = await readHost()
    return { host, threadsNs: (await readOthers()) + (host.orchestratorCpuNs ?? 0) }
  }
  const others = await readOthers()
  const host = await readHost()
  return { host, threadsNs: others + (host.orchestratorCpuNs ?? 0) }
}

async function readOthers(): Promise<number> {
  const names = await readdir('/proc')
  const pids = names.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).map(Number)
  const threads = await Promise.all(pids.map((pid) => readThreads(pid).catch(() => undefined)))
  return threads.reduce<number>((sum, ns) => sum + (ns ?? 0), 0)
}
