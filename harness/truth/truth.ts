/** Puts every tool at hand before the server of known truth, scenario by scenario, and fills the table. */
import { cpus, release } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { UserError } from '../model/errors.js'
import type { TruthCell, TruthTable } from '../model/truth.js'
import { findProgram, run } from '../process/exec.js'
import { readHost } from '../process/probes/host.js'
import { withAwakeCores } from '../process/awake.js'
import { measureTiming } from '../process/probes/timing.js'
import { version } from '../process/package-root.js'
import { seededRandom } from '../protocol/random.js'
import { type Attempt, type Bench, attempt } from './attempt.js'
import { type Attempts, type Question, judgeTool, questions } from './questions.js'
import { standingsOf } from './standings.js'
import { type Scenario, type ScenarioName, scenarioNames, scenarios } from './scenarios.js'
import { buildServer } from './server.js'
import type { Subject } from './subject.js'

export interface TruthOptions {
  /** Names; undefined: every tool that is found. */
  readonly tools?: readonly string[]
  readonly subjects: readonly Subject[]
  readonly folder: string
  readonly runId: string
  /** Called before each run. */
  readonly tell: (line: string) => void
}

/** Throws a `UserError` for a tool that is unknown, or asked for and not there, and where no server can be built. */
export async function measureTruth(options: TruthOptions): Promise<TruthTable> {
  const { present, absent } = await findSubjects(options)
  const bench: Bench = { ...options, program: await buildServer(options.folder, options.runId) }
  const started = new Date()
  const host = await describeHost(options.runId)
  // What a sleeping core costs to wake changes from minute to minute, by more than what tools differ by.
  const attempts = await withAwakeCores(() => runAll(present, bench, options.tell), { runId: bench.runId })
  const cells = present.map((subject): [string, Record<string, TruthCell>] => [
    subject.name,
    judgeTool(attempts.get(subject) as Attempts, subject),
  ])
  return {
    schema: 2,
    kind: 'truth',
    meshbench: version,
    started: started.toISOString(),
    seconds: Math.round((Date.now() - started.getTime()) / 1000),
    host,
    tools: await Promise.all(present.map(describeSubject)),
    absent: absent.map(({ name }) => name),
    questions: Object.entries<Question>(questions).map(([id, { title, unit, rule }]) => ({
      id,
      title,
      unit,
      rule,
    })),
    cells: Object.fromEntries(cells),
    standings: standingsOf(Object.fromEntries(cells), present),
  }
}

async function findSubjects({ tools: wanted, subjects }: TruthOptions) {
  const unknown = wanted?.find((name) => !subjects.some((subject) => subject.name === name))
  if (unknown !== undefined)
    throw new UserError(`--tool: ${JSON.stringify(unknown)} is unknown`, {
      hint: `allowed: ${subjects.map(({ name }) => name).join(', ')}`,
    })
  const asked = subjects.filter(({ name }) => wanted?.includes(name) ?? true)
  const found = await Promise.all(
    asked.map(async ({ program }) => program === undefined || (await findProgram(program)) !== undefined),
  )
  const absent = asked.filter((_, index) => !found[index])
  if (wanted && absent[0])
    throw new UserError(`--tool: ${absent[0].program} is not on the PATH`, {
      hint: 'install it, or leave --tool out to take what is there',
    })
  return { present: asked.filter((_, index) => found[index]), absent }
}

/**
 * Repeat by repeat, scenario by scenario, and each time all tools in another order: what else happens on the host hits all
 * of them alike.
 */
async function runAll(
  subjects: readonly Subject[],
  bench: Bench,
  tell: (line: string) => void,
): Promise<ReadonlyMap<Subject, Attempts>> {
  const random = seededRandom(1)
  const found = new Map(
    subjects.map((subject) => [
      subject,
      Object.fromEntries(scenarioNames.map((name) => [name, []])) as unknown as Record<
        ScenarioName,
        Attempt[]
      >,
    ]),
  )
  const most = Math.max(...Object.values<Scenario>(scenarios).map(({ repeats }) => repeats))
  for (let repeat = 0; repeat < most; repeat++)
    for (const [name, scenario] of Object.entries<Scenario>(scenarios)) {
      if (repeat >= scenario.repeats) continue
      tell(`${scenario.title}${scenario.repeats > 1 ? `, ${repeat + 1} of ${scenario.repeats}` : ''}`)
      const order = subjects.map((subject) => ({ subject, key: random() })).sort((a, b) => a.key - b.key)
      for (const { subject } of order) {
        if (scenario.fresh && !subject.canBeFresh) continue
        found.get(subject)?.[name as ScenarioName].push(await attempt(subject, scenario, bench))
      }
    }
  return found
}

async function describeHost(runId: string): Promise<TruthTable['host']> {
  const before = await readHost()
  await sleep(500)
  const after = await readHost()
  const idle = after.idleNs + after.iowaitNs - before.idleNs - before.iowaitNs
  const elapsed = after.atNs - before.atNs
  const { wakeUpLateP99Us } = await measureTiming({ runId })
  return {
    cpus: after.cpus,
    model: cpus()[0]?.model ?? 'unknown',
    kernel: release(),
    node: process.version,
    busyCores: Number(Math.max(0, after.cpus - idle / elapsed).toFixed(2)),
    wakeUpLateP99Us,
  }
}

async function describeSubject(subject: Subject): Promise<TruthTable['tools'][number]> {
  const { name, program, takesRate, versionArguments = [], notes = [] } = subject
  const asks = takesRate ? 'a rate' : 'as fast as it may'
  if (program === undefined) return { name, version, asks, notes }
  if (versionArguments.length === 0) return { name, version: '', asks, notes }
  // Some tell their version with a code of failure, some on standard error, and some not at all.
  const { stdout, stderr } = await run([program, ...versionArguments], {
    allowFailure: true,
    timeoutMs: 5000,
  }).catch(() => ({ stdout: '', stderr: '' }))
  return {
    name,
    version: /(?<![\w.])v?(\d+\.\d+(?:\.\d+)*)/.exec(`${stdout}\n${stderr}`)?.[1] ?? '',
    asks,
    notes,
  }
}
