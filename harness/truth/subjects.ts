/** The tools under test: this generator's own engines, tools that it can run, and tools that it would rather not. */
import type { LoadSpec } from '../model.js'
import { parseEvent } from '../load/generator.js'
import { bucketsOf } from '../load/histogram.js'
import type { LoadResult } from '../protocol/result.js'
import { engineOf } from '../protocol/engines.js'
import { tools, type ToolName } from '../../infra/images/loadgen/tools/index.js'
import { type Tool, type ToolReport, commandOf } from '../../infra/images/loadgen/tools/tool.js'
import { autocannon } from './autocannon.js'
import { warmupMs } from './scenarios.js'
import type { Ask, Subject } from './subject.js'
import { defined } from '../model/defined.js'

const timeoutMs = 5000

function specOf({
  host,
  port,
  ratePerSecond,
  connections,
  seconds,
  warmupMs,
  payloadBytes,
}: Ask): LoadSpec & Readonly<Record<string, unknown>> {
  return {
    ...{ engine: 'open-loop', model: ratePerSecond === undefined ? 'closed' : 'open', protocol: 'http1' },
    ...defined({ ratePerSecond }),
    ...{ connections, warmupMs, durationMs: seconds * 1000, payloadBytes, timeoutMs, workers: 1 },
    ...{ headers: {}, seed: 1, target: { host, port } },
  }
}

/** One of the generator's own engines; with `fresh`, as `connect`. */
function engineSubject(name: 'open-loop' | 'closed-loop', bundle: string): Subject {
  const open = name === 'open-loop'
  return {
    name,
    program: undefined,
    takesRate: open,
    canBeFresh: open,
    hasEdges: true,
    notes: [
      `${name}: where its times are read it has the warm-up of ${warmupMs} ms that a quick run gives it, whose requests are left out of the server’s log`,
    ],
    command: (ask) => [
      ...[process.execPath, bundle, ask.fresh ? 'connect' : name],
      ...['--spec', JSON.stringify({ ...specOf(ask), engine: name, arrival: 'uniform' })],
    ],
    read(output) {
      const events = output.split('\n').filter(Boolean).map(parseEvent)
      const failure = events.find((event) => event.event === 'error')
      if (failure) throw new Error(failure.message)
      const end = events.find((event) => event.event === 'result')
      if (!end) throw new Error('it gave no result')
      return reportOf(end.result)
    },
  }
}

function reportOf(result: LoadResult): ToolReport {
  const latency = result.response ?? result.service
  return {
    ok: result.ok,
    errors: result.errors,
    latency: latency ? bucketsOf(latency).map(({ us, count }) => [us, count] as const) : [],
    windowMs: result.windowMs,
    connectionsOpened: result.connectionsOpened,
    dropped: result.unsent,
    warmupSent: result.warmupSent,
  }
}

/** A tool as the generator drives it. */
function toolSubject(name: string, tool: Tool, takesRate: boolean): Subject {
  const runOf = (ask: Ask) => {
    const spec = {
      ...specOf(ask),
      engine: undefined,
      model: undefined,
      arrival: 'uniform',
      recording: true,
    } as never
    const host = ask.host.includes(':') ? `[${ask.host}]` : ask.host
    const url = `http://${host}:${ask.port}/echo?size=${ask.payloadBytes}`
    return { spec, url, authority: undefined, seconds: ask.seconds, folder: ask.folder, fresh: ask.fresh }
  }
  return {
    name,
    program: tool.program,
    takesRate,
    canBeFresh: tool.neverFresh === undefined,
    versionArguments: versionArguments[name] ?? ['--version'],
    ...defined({ files: tool.files }),
    notes: tool.limits,
    command: (ask) => commandOf(tool, runOf(ask)),
    read: (output, ask, files) => tool.parse(output, runOf(ask), files),
  }
}

const versionArguments: Readonly<Record<string, readonly string[]>> = {
  wrk: ['-v'],
  wrk2: ['-v'],
  ab: ['-V'],
  // It has no way to ask.
  hey: [],
  fortio: ['version'],
  k6: ['version'],
  vegeta: ['-version'],
}

/** Every subject there is, ours first. `bundle` is the load generator's. */
export function listSubjects(bundle: string): readonly Subject[] {
  return [
    engineSubject('open-loop', bundle),
    engineSubject('closed-loop', bundle),
    ...(Object.keys(tools) as ToolName[]).map((name) =>
      toolSubject(name, tools[name], (engineOf(name).models as readonly string[]).includes('open')),
    ),
    autocannon,
  ]
}
