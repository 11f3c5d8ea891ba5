/** The load generator: `loadgen <engine> --spec '<json>'` drives one load and reports it as JSON lines. */
import { parseArgs } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import { ConfigError, parseConfig } from '../kit/process/config.js'
import { EngineError, type Harness, createHarness } from './events.js'
import { runOpenLoop } from './open-loop.js'
import { yieldToSenders } from './runtime.js'
import { runSenderWorker } from './sender-worker.js'
import { type Spec, specSchema } from './spec.js'
import { runTool } from './external.js'
import { runStream } from './stream.js'
import { type ToolName, tools } from './tools/index.js'

type Engine = (spec: Spec, harness: Harness) => Promise<void>

const engines: Readonly<Record<string, Engine>> = {
  'open-loop': (spec, harness) => runOpenLoop('open-loop', spec, harness),
  connect: (spec, harness) => runOpenLoop('connect', spec, harness),
  stream: runStream,
  ...Object.fromEntries(
    (Object.keys(tools) as ToolName[]).map((name): [string, Engine] => [
      name,
      (spec, harness) => runTool(name, withoutHeaders(name, spec), harness),
    ]),
  ),
  // Loaded only when it is run: it brings a library along.
  'closed-loop': async (spec, harness) => (await import('./closed-loop.js')).runClosedLoop(spec, harness),
}

/** A tool that is not told of them would be answered otherwise than this project's own engines. */
function withoutHeaders(tool: ToolName, spec: Spec): Spec {
  const names = Object.keys(spec.headers)
  if (names.length > 0) throw new EngineError('tool', `${tool} is given no headers: ${names.join(', ')}`)
  return spec
}

if (isMainThread) await main()
else runSenderWorker()

async function main(): Promise<void> {
  const { engine, spec } = readArguments()
  yieldToSenders()
  const harness = createHarness()
  try {
    await engine(spec, harness)
  } catch (error) {
    const kind = error instanceof EngineError ? error.kind : 'internal'
    const message = error instanceof Error ? error.message : String(error)
    if (kind === 'internal') process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    harness.emit({ event: 'error', kind, message })
    exitAfterOutput(1)
    return
  }
  exitAfterOutput(0)
}

/** Standard output to a pipe is written later: leave when it is. */
function exitAfterOutput(code: number): void {
  process.stdout.write('', () => process.exit(code))
}

function readArguments(): { engine: Engine; spec: Spec } {
  try {
    const { values, positionals } = parseArgs({
      options: { spec: { type: 'string' } },
      allowPositionals: true,
    })
    const [name = ''] = positionals
    const engine = Object.hasOwn(engines, name) ? engines[name] : undefined
    if (!engine || positionals.length !== 1) {
      throw new ConfigError([
        `engine: "${positionals.join(' ')}" is none of ${Object.keys(engines).join(', ')}`,
      ])
    }
    if (values.spec === undefined) throw new ConfigError(['--spec is missing'])
    return { engine, spec: parseConfig(specSchema, parseJson(values.spec)) }
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message]
    process.stderr.write(
      problems.map((problem) => `loadgen: ${problem.replace(/^config/, 'spec')}\n`).join('') +
        `usage: node loadgen.mjs <${Object.keys(engines).join('|')}> --spec '<json>'\n`,
    )
    process.exit(2)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConfigError([`--spec is not JSON: ${(error as Error).message}`])
  }
}
