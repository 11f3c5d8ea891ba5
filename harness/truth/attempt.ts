/** One run of one tool against the server of known truth: what the tool said, and what was true. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../model/errors.js'
import { start } from '../process/exec.js'
import type { ToolReport } from '../../infra/images/loadgen/tools/tool.js'
import { type TruthLog, withoutFirst } from './log.js'
import { type Scenario, warmupMs } from './scenarios.js'
import { startServer } from './server.js'
import type { Ask, Subject } from './subject.js'

/** Beyond what it was asked for a tool that has not ended hangs. */
const graceMs = 6000

export interface Attempt {
  /** Undefined: it was not asked for a rate. */
  readonly ratePerSecond: number | undefined
  /** Without the requests of a warm-up. */
  readonly log: TruthLog
  /** All that the server counted. */
  readonly served: number
  /** Undefined when it failed. */
  readonly report: ToolReport | undefined
  readonly failure: string | undefined
  /** Of the tool and its children, start-up included. */
  readonly cpuUs: number
}

export interface Bench {
  /** Path of the server's program, which bills a tool, too. */
  readonly program: string
  readonly folder: string
  readonly runId: string
}

export async function attempt(subject: Subject, scenario: Scenario, bench: Bench): Promise<Attempt> {
  const folder = join(bench.folder, 'attempt')
  const warmed = warmUp(subject, scenario)
  await mkdir(folder, { recursive: true })
  try {
    for (const [name, text] of Object.entries(subject.files ?? {})) await writeFile(join(folder, name), text)
    const server = await startServer(bench.program, warmed.faults, { folder, runId: bench.runId })
    const ask: Ask = {
      ...{ host: server.host, port: server.port, seconds: scenario.seconds, folder },
      ratePerSecond: subject.takesRate ? scenario.ratePerSecond : undefined,
      warmupMs: warmed.warmupMs,
      connections: subject.takesRate
        ? scenario.connections
        : (scenario.closedConnections ?? scenario.connections),
      fresh: scenario.fresh ?? false,
      payloadBytes: scenario.bodyless ? 0 : 1024,
    }
    const ended = await runTool(subject, ask, bench)
    const log = await server.end()
    const read = readReport(subject, ask, ended)
    return {
      ratePerSecond: ask.ratePerSecond,
      log: withoutFirst(log, read.report?.warmupSent ?? 0),
      served: log.requests.length,
      ...read,
      cpuUs: ended.cpuUs,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A fault that waits for a number of requests waits for those of the warm-up besides, which only a rate tells beforehand. */
function warmUp(
  { hasEdges = false, takesRate }: Subject,
  { warmed = false, faults, ratePerSecond }: Scenario,
): Pick<Ask, 'warmupMs'> & Pick<Scenario, 'faults'> {
  const { freezeAfter } = faults
  if (!warmed || !hasEdges || (freezeAfter !== undefined && !takesRate)) return { warmupMs: 0, faults }
  if (freezeAfter === undefined) return { warmupMs, faults }
  return {
    warmupMs,
    faults: { ...faults, freezeAfter: freezeAfter + (warmupMs * ratePerSecond) / 1000 },
  }
}

interface Ended {
  readonly output: string
  readonly failure: string | undefined
  readonly cpuUs: number
}

async function runTool(subject: Subject, ask: Ask, { program, runId }: Bench): Promise<Ended> {
  const billFile = join(ask.folder, 'bill.json')
  const child = start({ argv: [program, 'bill', billFile, ...subject.command(ask)] }, { runId })
  let hangs = false
  const timer = setTimeout(
    () => {
      hangs = true
      child.kill('SIGKILL')
    },
    ask.seconds * 1000 + graceMs,
  )
  const lines: string[] = []
  for await (const line of child.lines) {
    lines.push(line)
    if (subject.hasEdges && line.includes('"event":"edge"')) child.write('go\n')
  }
  const { code, signal, tail } = await child.exited
  clearTimeout(timer)
  const bill = await readFile(billFile, 'utf8').then(
    (text) => JSON.parse(text) as { cpuUs: number },
    () => ({ cpuUs: Number.NaN }),
  )
  return {
    output: lines.join('\n'),
    failure: hangs
      ? `it had not ended ${graceMs / 1000} s after its time`
      : code === 0
        ? undefined
        : `it ended with ${code ?? signal}: ${tail.trim().split('\n').at(-1) ?? ''}`,
    cpuUs: bill.cpuUs,
  }
}

function readReport(
  subject: Subject,
  ask: Ask,
  { output, failure }: Ended,
): Pick<Attempt, 'report' | 'failure'> {
  if (failure !== undefined) return { report: undefined, failure }
  try {
    const report = subject.read(output, ask, (name) => readFileSync(join(ask.folder, name), 'utf8'))
    // Made whole while the files are there.
    return { report: { ...report, latency: [...report.latency] }, failure: undefined }
  } catch (error) {
    return { report: undefined, failure: messageOf(error) }
  }
}
