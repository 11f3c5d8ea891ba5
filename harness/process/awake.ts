/** Keeps the host's cores from sleeping, for answers that are smaller than what it costs to wake one. */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { start } from './exec.js'

/**
 * Measures beside a spinner on each core that gives way to everything else. On a virtual machine a core that sleeps is
 * dear to wake, and whoever wakes it pays, in CPU and in latency: between 10 and 50 µs a request that come and go with
 * what else happens, beside which 50 µs cannot be read to 5 %. An injected delay even hides it: the server that waits
 * for its own timer is awake when it replies.
 */
export async function withAwakeCores<Result>(
  measure: () => Promise<Result>,
  options: { readonly runId?: string } = {},
): Promise<Result> {
  const group = makeIdleGroup()
  const argv = [process.execPath, '-e', spin, String(process.pid), ...(group === undefined ? [] : [group])]
  const spinners = Array.from({ length: availableParallelism() }, () => start({ argv }, options))
  const end = (): void => {
    for (const spinner of spinners) spinner.kill('SIGKILL')
    removeGroup(group)
  }
  // An interrupt leaves by process.exit: spinners must not outlive it.
  process.once('exit', end)
  try {
    return await measure()
  } finally {
    process.removeListener('exit', end)
    for (const spinner of spinners) spinner.kill('SIGKILL')
    await Promise.all(spinners.map(({ exited }) => exited))
    removeGroup(group)
  }
}

/** Where control groups for CPU are made: version 1, then version 2 (`cgroups(7)`). */
const roots = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup']
let made = 0

/**
 * A control group whose processes are stopped as soon as any other wakes (`cpu.idle`, kernel 5.15), where we may make one:
 * a process of the lowest priority may finish its slice first, and whoever woke is late by it.
 */
function makeIdleGroup(): string | undefined {
  for (const root of roots) {
    const group = join(root, `meshbench-awake-${process.pid}-${made++}`)
    try {
      mkdirSync(group)
    } catch {
      continue
    }
    try {
      writeFileSync(join(group, 'cpu.idle'), '1')
      return group
    } catch {
      removeGroup(group)
    }
  }
  return undefined
}

/** Waits for what was killed in it to be gone, without a turn of the event loop: at an exit there is none. */
function removeGroup(group: string | undefined): void {
  const word = new Int32Array(new SharedArrayBuffer(4))
  for (let attempt = 0; group !== undefined && attempt < 100; attempt++) {
    try {
      rmdirSync(group)
      return
    } catch {
      Atomics.wait(word, 0, 0, 10)
    }
  }
}

/**
 * It ends with whoever started it, and takes its group along. Without one: where Linux groups processes by session, a
 * priority counts only within the session, and this one has its own: the session's priority is what lets others go first
 * (`sched(7)`, autogroup). A kernel that does not group has no such file.
 */
const spin = `
const fs = require('node:fs')
const [, starter, group] = process.argv
require('node:os').setPriority(19)
try {
  if (group) fs.writeFileSync(group + '/cgroup.procs', String(process.pid))
  else fs.writeFileSync('/proc/self/autogroup', '19')
} catch {}
while (process.ppid === Number(starter)) for (let turn = 0; turn < 1e8; turn++);
if (group) try {
  fs.writeFileSync(group + '/../cgroup.procs', String(process.pid))
  fs.rmdirSync(group)
} catch {}
`
