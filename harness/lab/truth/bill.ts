/** The bill reconciles: what every process of the host counts for itself is what the host was not idle for. */
import { busyNs } from '../../run/usage.js'
import { readAccounts } from './accounts.js'
import { median } from '../../protocol/averages.js'
import { type Answer, tolerance } from './check.js'
import { checkReferences, read, used, type Reading } from './references.js'
import type { EchoServer, Rig, RigLoad } from './rig.js'

/**
 * Two loads: one far beyond what can be served, and one at a rate, where CPUs fall asleep and wake thousands of times a
 * second. At both, what all processes count for themselves is judged by the kernel's own sum over all tasks, which known
 * burns have shown to be right. Time that was neither idle nor stolen and belongs to no task is on the way into and
 * out of idle (the timer that is set anew) and in interrupts that find nobody to charge: it is printed by that name.
 */
const loads = [
  {
    label: 'saturated',
    spec: { ratePerSecond: 60_000, warmupMs: 1000, durationMs: 4000 },
  },
  {
    label: 'at 4000 req/s',
    spec: { ratePerSecond: 4000, warmupMs: 1000, durationMs: 6000 },
  },
] as const
const repeats = 3

interface Edge extends Reading {
  /** Sum over all processes of the host, those included that have ended. */
  readonly accountsNs: number
}

interface Run {
  readonly host: number
  readonly accounts: number
  readonly tasks: number | undefined
  readonly known: number
}

export async function checkBill(rig: Rig): Promise<Answer[]> {
  const answers: Answer[] = []
  answers.push(...(await checkReferences()))
  for (const { label, spec } of loads) {
    const server = await rig.echo()
    const runs: Run[] = []
    for (let repeat = 0; repeat < repeats; repeat++) runs.push(await measure(rig, server, spec))
    await server.kill()
    answers.push(...judge(label, runs))
  }
  return answers
}

async function measure(rig: Rig, server: EchoServer, spec: RigLoad): Promise<Run> {
  const edges: Edge[] = []
  const { result, serverCpuUs } = await rig.load('open-loop', spec, server, {
    async onEdge(edge) {
      edges.push(await readEdge(edge))
    },
  })
  const [start, end] = edges
  if (!start || !end) throw new Error('the generator announced no edges')
  const cores = (ns: number) => ns / (end.host.atNs - start.host.atNs)
  const own = (end.host.orchestratorCpuNs ?? 0) - (start.host.orchestratorCpuNs ?? 0)
  return {
    host: cores(busyNs(start.host, end.host)),
    accounts: cores(end.accountsNs - start.accountsNs),
    tasks: used(start, end).tasks,
    known: cores((serverCpuUs + result.generatorCpuUs) * 1000 + own),
  }
}

function judge(label: string, runs: readonly Run[]): Answer[] {
  const middle = (read: (run: Run) => number) => median(runs.map(read))
  const host = middle((run) => run.host)
  const context = (what: string, expected: number, measured: number): Answer => {
    return { check: 'bill', what: `${label}: ${what}`, unit: 'cores', expected, measured, rule: 'context' }
  }
  const tasks = runs.flatMap((run) => run.tasks ?? [])
  return [
    context(
      `neither idle nor stolen, by the sum of all processes, median of ${repeats}`,
      host,
      middle((run) => run.accounts),
    ),
    ...(tasks.length === runs.length
      ? [
          {
            check: 'bill',
            what: `${label}: CPU of all tasks, by the sum of all processes`,
            unit: 'cores',
            expected: median(tasks),
            measured: middle((run) => run.accounts),
            tolerance: tolerance(median(tasks), 0.03),
          },
          context(
            'in no task: interrupts that find a CPU idle, and the way into and out of idle',
            0,
            host - median(tasks),
          ),
        ]
      : []),
    context(
      'of the host: server, generator and this process',
      host,
      middle((run) => run.known),
    ),
    {
      ...context(
        'unaccounted: the host less these',
        0,
        middle((run) => (100 * (run.host - run.known)) / run.host),
      ),
      unit: '% of the host',
    },
  ]
}

/** Looking at all processes takes a while: it is done outside the window, and this process counts itself. */
async function readEdge(edge: 'start' | 'end'): Promise<Edge> {
  const before = edge === 'start' ? await readAccounts() : undefined
  const reading = await read()
  const others = before ?? (await readAccounts())
  return { ...reading, accountsNs: others + (reading.host.orchestratorCpuNs ?? 0) }
}
