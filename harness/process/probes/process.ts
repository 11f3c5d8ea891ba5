/**
 * CPU and memory of a plain process, from procfs.
 *
 * CPU time is the sum of `/proc/PID/task/*\/schedstat` (nanoseconds on CPU per thread; Documentation/scheduler/
 * sched-stats.rst), whose resolution is far finer than the 10 ms ticks of `/proc/PID/stat`. The split into user and
 * system is known only in ticks (proc(5)); it is scaled to the finer total.
 *
 * Files of procfs are read at once: the kernel writes them as they are read, and a thread of the pool for each costs more
 * than the reading. A run of thirty arms reads some thousand of them at each edge of a window.
 */
import { readFileSync, readdirSync } from 'node:fs'
import type { UsageReading } from '../../model.js'
import { defined } from '../../model/defined.js'

/** Nanoseconds in one clock tick: USER_HZ is 100 on every Linux architecture that Node runs on (proc(5), times(2)). */
const nsPerTick = 10_000_000

/** Reads a live process; rejects with ENOENT when it has ended. */
export async function readProcess(pid: number): Promise<UsageReading> {
  const cpuNs = await readThreads(pid)
  const ticks = parseStatTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  // Readable by the owner alone; another user's process has no PSS for us.
  const rollup = textOf(`/proc/${pid}/smaps_rollup`)
  // The owner’s alone, too, and absent from kernels without CONFIG_TASK_IO_ACCOUNTING.
  const io = textOf(`/proc/${pid}/io`)
  const tickTotal = ticks.user + ticks.system
  const total = cpuNs ?? tickTotal * nsPerTick
  const userShare = tickTotal === 0 ? 0 : ticks.user / tickTotal
  return {
    cpuNs: total,
    cpuUserNs: total * userShare,
    cpuSystemNs: total * (1 - userShare),
    ...defined({
      rssBytes: kibField(status, 'VmRSS'),
      peakRssBytes: kibField(status, 'VmHWM'),
      pssBytes: kibField(rollup, 'Pss'),
      voluntarySwitches: numberField(status, 'voluntary_ctxt_switches'),
      involuntarySwitches: numberField(status, 'nonvoluntary_ctxt_switches'),
      readSyscalls: numberField(io, 'syscr'),
      writeSyscalls: numberField(io, 'syscw'),
    }),
    source: cpuNs === undefined ? 'ticks' : 'schedstat',
    resolutionNs: cpuNs === undefined ? nsPerTick : 1,
  }
}

/** CPU of a process in ns, summed over its living threads; undefined where the kernel keeps no schedstat. */
export async function readThreads(pid: number): Promise<number | undefined> {
  const total = readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    // A thread may end between the listing and the reading.
    const time = Number(textOf(`/proc/${pid}/task/${thread}/schedstat`).split(' ', 1)[0])
    return sum + (Number.isFinite(time) ? time : 0)
  }, 0)
  return total > 0 ? total : undefined
}

/** At once, as the kernel writes it; empty for a file that cannot be read. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** utime and stime: fields 14 and 15, counted after the command's name, which may hold spaces and parentheses. */
function parseStatTicks(stat: string): { user: number; system: number } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { user: Number(fields[11] ?? 0), system: Number(fields[12] ?? 0) }
}

/**
 * Start time in ticks since boot (field 22): with the pid it names a process for good. 0 for one that has ended and that
 * its parent has not asked for.
 */
export function parseStartTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? 0 : Number(fields[19] ?? 0)
}

function numberField(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)
  return match?.[1] === undefined ? undefined : Number(match[1])
}

function kibField(text: string, name: string): number | undefined {
  const kib = numberField(text, name)
  return kib === undefined ? undefined : kib * 1024
}
