/** What a process used, as the kernel counts it: CPU, memory, and on demand system calls and context switches. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'

/** CPU time of a process with all its threads, ns (first field of schedstat: time spent on the CPU). */
export function cpuNs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const [onCpu = '0'] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')
    return sum + Number(onCpu)
  }, 0)
}

/** Resident memory now, and the most it ever was. */
export function memoryBytes(pid: number): { readonly rss: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024
  return { rss: field('VmRSS'), peak: field('VmHWM') }
}

/** Resident memory, of shared pages the process's share. */
export function proportionalBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? NaN) * 1024
}

/** Events of perf and what they are called in the table. */
const events = {
  'raw_syscalls:sys_enter': 'calls',
  'context-switches': 'switches',
  'syscalls:sys_enter_epoll_wait': 'epoll_wait',
  'syscalls:sys_enter_epoll_pwait': 'epoll_wait',
  'syscalls:sys_enter_epoll_ctl': 'epoll_ctl',
  'syscalls:sys_enter_read': 'read',
  'syscalls:sys_enter_readv': 'read',
  'syscalls:sys_enter_recvfrom': 'read',
  'syscalls:sys_enter_recvmsg': 'read',
  'syscalls:sys_enter_write': 'write',
  'syscalls:sys_enter_writev': 'write',
  'syscalls:sys_enter_sendto': 'write',
  'syscalls:sys_enter_sendmsg': 'write',
  'syscalls:sys_enter_futex': 'futex',
} as const

type KernelEvent = (typeof events)[keyof typeof events]
export type KernelCounts = Readonly<Record<KernelEvent, number>>

/** Counts from now on until the function that it returns is called. Rejects, with perf's words, where perf may not count. */
export async function countKernelEvents(pid: number): Promise<() => Promise<KernelCounts>> {
  const child = spawn('perf', ['stat', '-x,', '-e', Object.keys(events).join(), '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const exited = once(child, 'exit')
  // perf says nothing when it has begun to count.
  await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 200))])
  if (child.exitCode !== null) throw new Error(`perf: ${output.trim()}`)
  return async () => {
    child.kill('SIGINT')
    await exited
    const none = Object.values(events).map((name) => [name, 0] as const)
    const counts = Object.fromEntries(none) as Record<KernelEvent, number>
    for (const line of output.split('\n')) {
      const [count = '', , event = ''] = line.split(',')
      const name = events[event as keyof typeof events]
      if (name !== undefined && /^\d+$/.test(count)) counts[name] += Number(count)
    }
    return counts
  }
}
