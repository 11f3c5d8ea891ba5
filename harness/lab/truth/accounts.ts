/** What every process of the host counts for itself: its threads, and its children that have ended. */
import { readFile, readdir } from 'node:fs/promises'
import { readThreads } from '../../process/probes/process.js'

/** Ticks of proc(5) are 1/100 s to programs, whatever the kernel's own are. */
const nsPerTick = 10_000_000

/**
 * CPU in ns of all processes but those that are left out and this one, which would count its own looking. A shell that
 * waits in a loop ends dozens of processes a second: their threads are gone at the second look, and what they ran is in
 * their parent's account of its children, in ticks.
 */
export async function readAccounts(without: ReadonlySet<number> = new Set()): Promise<number> {
  const names = await readdir('/proc')
  const pids = names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && !without.has(pid))
  const accounts = await Promise.all(pids.map((pid) => readAccount(pid).catch(() => 0)))
  return accounts.reduce((sum, ns) => sum + ns, 0)
}

async function readAccount(pid: number): Promise<number> {
  const [threads = 0, stat] = await Promise.all([readThreads(pid), readFile(`/proc/${pid}/stat`, 'utf8')])
  return threads + parseChildTicks(stat) * nsPerTick
}

/** cutime and cstime: fields 16 and 17, counted after the command's name, which may hold spaces and parentheses. */
export function parseChildTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[13] ?? 0) + Number(fields[14] ?? 0)
}
