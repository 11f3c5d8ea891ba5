/**
 * Which of the kernel's counters can be the reference of the bill: each is asked about burns of known size.
 *
 * What they count, by the kernel's own sources:
 * - tasks: run time of every task in ns, by the scheduler's clock. Root of cgroup v1's cpuacct
 *   (Documentation/admin-guide/cgroup-v1/cpuacct.rst), or the seventh figure of each CPU in `/proc/schedstat`
 *   (Documentation/scheduler/sched-stats.rst). That clock leaves out what the hypervisor stole
 *   (`update_rq_clock_task` in kernel/sched/core.c, with CONFIG_PARAVIRT_TIME_ACCOUNTING).
 * - not idle: time less idle and iowait of `/proc/stat`. Idle is exact (kernel/time/tick-sched.c, `tick_nohz_start_idle`), and
 *   it stops while an interrupt is served: stolen time, interrupts that find a CPU idle and the way into and out of
 *   idle are in "not idle" and in no task.
 * - ticks: user, nice, system, irq and softirq of `/proc/stat`. With CONFIG_TICK_CPU_ACCOUNTING a whole tick goes to whoever
 *   runs when it comes (kernel/sched/cputime.c, `account_process_tick`): a program that sleeps and wakes by timers
 *   may run between ticks for ever.
 * Pressure (`/proc/pressure/cpu`) tells how long something waited for a CPU, which is not how much was used: it is no reference.
 */
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostReading, Running } from '../../model.js'
import { start } from '../../process/exec.js'
import { readHost } from '../../process/probes/host.js'
import { readAccounts } from './accounts.js'
import { type Answer, tolerance } from './check.js'

const shares = [0.25, 0.5, 1]
const windowMs = 4000

/** CPU of all tasks since boot in ns; undefined where the kernel keeps no such sum. */
function readTasks(): number | undefined {
  for (const folder of ['cpuacct', 'cpu,cpuacct']) {
    const file = `/sys/fs/cgroup/${folder}/cpuacct.usage`
    if (existsSync(file)) return Number(readFileSync(file, 'utf8'))
  }
  return existsSync('/proc/schedstat') ? parseSchedstat(readFileSync('/proc/schedstat', 'utf8')) : undefined
}

/** Sum of the seventh figure of each CPU, in ns. */
export function parseSchedstat(text: string): number {
  return [...text.matchAll(/^cpu\d+ (.*)$/gm)].reduce(
    (sum, [, figures = '']) => sum + Number(figures.split(' ')[6] ?? 0),
    0,
  )
}

export interface Reading {
  readonly host: HostReading
  /** The kernel's own sum over all tasks, dead ones too; undefined where it keeps none. */
  readonly tasksNs: number | undefined
}

/** What was used between two readings, in cores, as each of the counters has it. */
export interface Used {
  readonly tasks: number | undefined
  readonly notIdle: number
  readonly ticks: number
  readonly steal: number
}

export async function read(): Promise<Reading> {
  const host = await readHost()
  return { host, tasksNs: readTasks() }
}

export function used(from: Reading, to: Reading): Used {
  const elapsedNs = to.host.atNs - from.host.atNs
  const since = (
    ...fields: ('userNs' | 'systemNs' | 'irqNs' | 'softirqNs' | 'idleNs' | 'iowaitNs' | 'stealNs')[]
  ) => fields.reduce((sum, field) => sum + to.host[field] - from.host[field], 0) / elapsedNs
  return {
    tasks:
      from.tasksNs === undefined || to.tasksNs === undefined
        ? undefined
        : (to.tasksNs - from.tasksNs) / elapsedNs,
    notIdle: to.host.cpus - since('idleNs', 'iowaitNs'),
    ticks: since('userNs', 'systemNs', 'irqNs', 'softirqNs'),
    steal: since('stealNs'),
  }
}

/** Burns a share of each period on one core, and says at each line that it is sent what it has used by its own clock, in µs. */
const burner = `
const share = Number(process.argv[1])
process.stdin.on('data', () => { const { user, system } = process.cpuUsage(); console.log(user + system) })
const period = 20
const turn = () => {
  const start = performance.now()
  while (performance.now() - start < period * share);
  if (share < 1) setTimeout(turn, Math.max(1, period * (1 - share))); else setImmediate(turn)
}
turn()
`

async function ask(child: Running): Promise<number> {
  const next = child.lines[Symbol.asyncIterator]().next()
  child.write('?\n')
  return Number((await next).value)
}

/**
 * Every counter beside burns of a quarter, a half and all of the host and what all others count for themselves: no host is
 * so idle that they are nothing. The counter of tasks is judged where there is one.
 */
export async function checkReferences(): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const share of shares) {
    const cores = share * availableParallelism()
    const duties = Array.from({ length: Math.ceil(cores) }, (_, index) => Math.min(1, cores - index))
    const burned = await measure(duties)
    const answer = (what: string, measured: number, judged: boolean): Answer => ({
      ...{ check: 'bill', unit: 'cores', what: `${share * 100} % of the host burned: ${what}`, measured },
      ...{ expected: burned.known, tolerance: tolerance(burned.known, 0.02, 0.02) },
      ...(judged ? {} : { rule: 'context' }),
    })
    answers.push(
      answer('what all tasks ran', burned.used.tasks ?? NaN, burned.used.tasks !== undefined),
      answer('what was not idle', burned.used.notIdle, burned.used.tasks === undefined),
      answer('what ticks found running', burned.used.ticks, false),
      { ...answer('stolen by the hypervisor', burned.used.steal, false), expected: 0 },
    )
  }
  return answers.filter(({ measured }) => !Number.isNaN(measured))
}

async function measure(duties: readonly number[]): Promise<{ readonly used: Used; readonly known: number }> {
  const burners = duties.map((duty) => start({ argv: [process.execPath, '-e', burner, String(duty)] }))
  try {
    // Until the compiler has done with them.
    await sleep(500)
    const pids = new Set(burners.flatMap(({ pid }) => pid ?? []))
    const othersBefore = await readAccounts(pids)
    const [from, before] = [await read(), await Promise.all(burners.map(ask))]
    await sleep(windowMs)
    const [to, after] = [await read(), await Promise.all(burners.map(ask))]
    const othersNs = (await readAccounts(pids)) - othersBefore
    const ownNs = (to.host.orchestratorCpuNs ?? 0) - (from.host.orchestratorCpuNs ?? 0)
    const burnedUs = after.reduce((sum, us, index) => sum + us - (before[index] ?? 0), 0)
    const known = (burnedUs * 1000 + othersNs + ownNs) / (to.host.atNs - from.host.atNs)
    return { used: used(from, to), known }
  } finally {
    for (const child of burners) child.kill('SIGKILL')
    await Promise.all(burners.map(({ exited }) => exited))
  }
}
