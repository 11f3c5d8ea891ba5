/** Runs a load tool of somebody else's between the same edges as our engines, so that its figures can stand beside ours. */
import { type ExecFileException, execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { EngineLack } from '../../../harness/protocol/engines.js'
import { bucketCount, bucketIndex, encodeCounts } from '../../../harness/protocol/histogram.js'
import type { LoadResult } from '../../../harness/protocol/result.js'
import type { Phase } from '../../../harness/protocol/events.js'
import { nowUs } from '../kit/process/precise-timer.js'
import { EngineError, type Harness, withProgress } from './events.js'
import { type Spec, authorityOf } from './spec.js'
import { type ToolName, tools } from './tools/index.js'
import { commandOf, type Tool, type ToolReport } from './tools/tool.js'

const execFileText = promisify(execFile)

const nsPerTick = 10_000_000
/** Beyond its duration and one timeout a tool that has not ended is stuck. */
const graceMs = 30_000

export async function runTool(name: ToolName, spec: Spec, harness: Harness): Promise<void> {
  const tool: Tool = tools[name]
  const root = mkdtempSync(join(tmpdir(), 'meshbench-tool-'))
  try {
    await drive(name, tool, spec, harness, root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function drive(name: ToolName, tool: Tool, spec: Spec, harness: Harness, root: string): Promise<void> {
  const runPhase = async (phase: Phase, durationMs: number): Promise<ToolReport & { elapsedMs: number }> => {
    const startUs = nowUs()
    const running = runOnce(tool, spec, durationMs, join(root, phase))
    // A tool tells nothing before it ends: progress is time alone.
    const report = await withProgress(harness, phase, startUs, () => ({ sent: 0, ok: 0 }), running)
    return { ...report, elapsedMs: Math.round((nowUs() - startUs) / 1000) }
  }

  const warmup = spec.warmupMs > 0 ? await runPhase('warmup', spec.warmupMs) : undefined
  harness.emit({ event: 'connected', connections: spec.connections })
  await harness.edge('start')
  const cpuStart = childCpuUs()
  const report = await runPhase('window', spec.durationMs)
  const cpuEnd = childCpuUs()
  await harness.edge('end')

  const counts = new Float64Array(bucketCount)
  for (const [us, count] of report.latency) {
    const index = bucketIndex(us)
    counts[index] = (counts[index] as number) + count
  }
  const sent = sentOf(report)
  const windowMs = report.windowMs ?? report.elapsedMs
  const latency = encodeCounts(counts)
  const result: LoadResult = {
    engine: name,
    sent,
    ok: report.ok,
    errors: report.errors,
    unsent: report.dropped ?? 0,
    windowMs,
    achievedRatePerSecond: (report.ok / windowMs) * 1000,
    connectionsOpened: connectionsOf(report, spec) + (warmup ? connectionsOf(warmup, spec) : 0),
    warmupSent: warmup ? sentOf(warmup) : 0,
    ...(tool.countsAll ? {} : { uncounted: spec.connections * (warmup ? 2 : 1) }),
    bodyBytes: report.bodyBytes ?? report.ok * spec.payloadBytes,
    ...(tool.charges === 'due' ? { response: latency } : { service: latency }),
    unknown: unknownTo(tool, report),
    generatorCpuUs: cpuEnd - cpuStart,
    limits: [
      ...tool.limits,
      `${tool.program}: its CPU is known in steps of 10 ms, and whole seconds are the finest duration`,
    ],
  }
  harness.emit({ event: 'result', result })
}

/** What its kind cannot tell; one that leaves due requests out may say how many. */
export function unknownTo(
  { charges }: Pick<Tool, 'charges'>,
  { dropped }: Pick<ToolReport, 'dropped'>,
): EngineLack[] {
  const lacks: EngineLack[] = [charges === 'due' ? 'service' : 'response', 'sendLag']
  return dropped === undefined ? [...lacks, 'unsent'] : lacks
}

function sentOf(report: ToolReport): number {
  return Object.values(report.errors).reduce((sum, count) => sum + count, report.ok)
}

function connectionsOf(report: ToolReport, spec: Spec): number {
  return report.connectionsOpened ?? spec.connections
}

async function runOnce(tool: Tool, spec: Spec, durationMs: number, folder: string): Promise<ToolReport> {
  const { host, port, authority } = spec.target
  const run = {
    spec,
    url: `http://${authorityOf({ host, port })}/echo?size=${spec.payloadBytes}`,
    authority,
    seconds: durationMs / 1000,
    folder,
  }
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(tool.files ?? {})) writeFileSync(join(folder, name), text)
  const [program = '', ...args] = commandOf(tool, run)
  const timeout = durationMs + spec.timeoutMs + graceMs
  const running = execFileText(program, args, { maxBuffer: Infinity, timeout, killSignal: 'SIGKILL' })
  const { child } = running
  child.stdin?.end()
  // It must not outlive the generator.
  const end = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', end)
  const { stdout, stderr, failure } = await running.then(
    (output) => ({ ...output, failure: undefined }),
    (error: ExecFileException) => ({
      stdout: error.stdout ?? '',
      stderr: error.stderr ?? '',
      failure: error,
    }),
  )
  process.removeListener('exit', end)
  if (failure?.syscall !== undefined)
    throw new EngineError('tool', `${tool.program} cannot be started: ${failure.message}`)
  try {
    if (failure) throw new Error(`it ended with ${failure.code ?? failure.signal}`)
    return tool.parse(stdout, run, (name) => readFileSync(join(folder, name), 'utf8'))
  } catch (error) {
    const said = stderr.slice(-2000) || stdout.slice(-500)
    throw new EngineError('tool', `${tool.program}: ${(error as Error).message}: ${said}`)
  }
}

/** CPU of children that have ended, in µs: cutime and cstime of proc(5), in ticks. 0 where there is no /proc. */
function childCpuUs(): number {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[13]) + Number(fields[14])) * nsPerTick) / 1000
  } catch {
    return 0
  }
}
