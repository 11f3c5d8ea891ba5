/** `meshbench run`: from config to report, or from where an earlier run was cut off. */
import { setMaxListeners } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { analyze } from '../../analyze/analyze.js'
import { changedVariables } from '../../model/journal.js'
import { tellCi } from '../ci.js'
import { endingOf } from '../ending.js'
import { createDisplay, timeText, type Display } from '../../run/display.js'
import { UserError, exitCodes, messageOf, type ExitCode } from '../../model/errors.js'
import { makeFolder, tryFolder } from '../../process/folders.js'
import { onInterrupt } from '../../process/interrupts.js'
import { openJournal, readJournal } from '../../run/journal.js'
import type { Analysis, JournalEntry, Plan, Platform, RunHeader } from '../../model.js'
import { outputRequest, writeOutputs, type OutputFlags, type OutputRequest } from '../outputs.js'
import { roundsOf } from '../../model/plan.js'
import { version } from '../../process/package-root.js'
import { fingerprint } from '../../process/probes/fingerprint.js'
import { checkHost, executePlan } from '../../run/run.js'
import { precisionReached } from '../../analyze/precision.js'
import { removeLeftovers } from './clean.js'
import { describeUnmet, restlessHost } from './doctor.js'
import { createStateDir, liveRuns, lockingRuns, newRunId } from '../../process/state.js'
import { planFlagsOf, type PlanFlags } from '../../config/flags.js'
import { meshRegistry, planFromFlags, platformFlagsOf, platformOf } from './planning.js'
import { imageBundles } from '../../../infra/images/bundles.js'
import { runAnnotations } from '../../../reports/formats/annotations.js'
import { renderMarkdown } from '../../../reports/formats/markdown.js'
import { renderTerminal } from '../../../reports/formats/terminal.js'

interface RunFlags extends PlanFlags, OutputFlags {
  readonly out?: string
  readonly resume?: string
  readonly json: boolean
  readonly force: boolean
}

export async function runCommand(flags: RunFlags): Promise<ExitCode> {
  const outputs = outputRequest(flags)
  const display = createDisplay(flags.json ? process.stderr : process.stdout)
  const prepared =
    flags.resume === undefined ? await prepareRun(flags) : await prepareResume(flags, flags.resume)
  // What a killed run left would be measured along.
  if (flags.resume !== undefined)
    await removeLeftovers(prepared.header.runId, { tell: (line) => display.line(line) })
  const { plan, header } = prepared
  const platform = platformOf(plan)
  const lacking = await checkHost(plan, platform, meshRegistry)
  const unmet = lacking.leavesArms ? lacking.platform : [...lacking.platform, ...lacking.meshes]
  if (unmet.length > 0) throw new UserError(describeUnmet(unmet), { exitCode: exitCodes.hostLacks })
  refuseBeside(await lockingRuns(), flags.force, display)
  const restless = await restlessHost(plan, platform)
  if (restless !== undefined) display.line(`! ${restless}`)
  const interrupt = catchInterrupts(display)
  try {
    const stateDir = await createStateDir(header.runId)
    if (!flags.force) refuseBeside(await lockingRuns(stateDir), false, display)
    return await measure(prepared, { platform, stateDir, outputs, flags, display, signal: interrupt.signal })
  } finally {
    interrupt.stop()
  }
}

interface Measuring {
  readonly platform: Platform
  readonly stateDir: string
  readonly outputs: OutputRequest
  readonly flags: RunFlags
  readonly display: Display
  readonly signal: AbortSignal
}

async function measure(
  { plan, folder, header, entries }: Prepared,
  { platform, stateDir, outputs, flags, display, signal }: Measuring,
): Promise<ExitCode> {
  try {
    makeFolder(folder)
  } catch (error) {
    throw new UserError(`cannot create ${folder}: ${messageOf(error)}`, {
      hint: 'choose another folder with --out',
    })
  }
  const journal = openJournal(folder, entries)
  try {
    const command = process.argv.slice(2)
    journal.append(entries.length === 0 ? header : { type: 'resume', at: new Date().toISOString(), command })
    display.line(describeStart(plan))
    const outcome = await executePlan({
      plan,
      runId: header.runId,
      stateDir,
      evidenceDir: join(folder, 'diagnostics'),
      platform,
      meshes: meshRegistry,
      journal,
      display,
      signal,
      precisionReached: (soFar) => precisionReached(soFar, plan.config),
    })
    for (const problem of outcome.cleanupProblems) display.line(`! could not clean up: ${problem}`)
    const analysis = await conclude(folder, outputs, flags, display)
    const { code, missing, problem } = endingOf(analysis, outcome.message)
    if (problem !== undefined) {
      const goOn = `what was measured is in ${show(folder)}; go on with --resume ${show(folder)}`
      throw new UserError(problem.message, { hint: problem.hint ?? goOn, exitCode: code })
    }
    for (const what of missing) display.line(`! ${what}`)
    return code
  } finally {
    journal.close()
  }
}

/** Two runs on one host spoil each other, and neither could tell by what. */
function refuseBeside(others: readonly string[], force: boolean, display: Display): void {
  if (others.length === 0) return
  const message = `another run is being measured on this host: ${others.join(', ')}`
  if (force) return display.line(`! ${message}`)
  throw new UserError(message, {
    hint: 'wait for its end; --force measures beside it, and both will be disturbed',
    exitCode: exitCodes.hostLacks,
  })
}

/** Analyses what the journal holds, writes the outputs and tells the person where they are. */
async function conclude(
  folder: string,
  outputs: OutputRequest,
  flags: RunFlags,
  display: Display,
): Promise<Analysis> {
  const { entries } = readJournal(folder)
  const analysis = analyze(entries)
  const [report = folder] = await writeOutputs(analysis, folder, outputs, entries)
  if (flags.json) process.stdout.write(`${JSON.stringify(analysis)}\n`)
  else {
    const { columns = 100, isTTY } = process.stdout
    display.line(`\n${renderTerminal(analysis, { columns, colour: isTTY && !process.env.NO_COLOR })}\n`)
  }
  await tellCi({ summary: renderMarkdown(analysis), annotations: runAnnotations(analysis) }, (line) =>
    display.line(line),
  )
  display.line(`report: ${show(report)}`)
  if (analysis.outcome === 'interrupted') display.line(`go on: meshbench run --resume ${show(folder)}`)
  return analysis
}

interface Prepared {
  readonly plan: Plan
  readonly folder: string
  readonly header: RunHeader
  readonly entries: readonly JournalEntry[]
}

async function prepareRun(flags: RunFlags): Promise<Prepared> {
  if (flags.out !== undefined) tryFolder('--out', flags.out)
  const plan = await planFromFlags(flags)
  const started = new Date()
  const runId = newRunId(started)
  const folder = resolve(flags.out ?? join(plan.config.outDir, `${runId}-${plan.config.platform}`))
  if (flags.out === undefined) tryFolder('outDir of the config', folder)
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new UserError(`${show(folder)} is not empty`, {
      hint: `choose another folder with --out, or go on with what it holds: --resume ${show(folder)}`,
    })
  }
  return { plan, folder, header: await makeHeader(plan, runId, started, recordedFlags(flags)), entries: [] }
}

export async function makeHeader(
  plan: Plan,
  runId: string,
  started: Date,
  flags: PlanFlags,
): Promise<RunHeader> {
  const bundles = await imageBundles()
  const hashes = Object.fromEntries(Object.entries(bundles).map(([name, { sha256 }]) => [name, sha256]))
  return {
    type: 'run',
    schema: 1,
    runId,
    version,
    startedAt: started.toISOString(),
    command: process.argv.slice(2),
    flags: { ...flags },
    plan,
    host: fingerprint(hashes),
  }
}

/** The plan of the journal is what goes on; flags that would change it are refused. */
async function prepareResume(flags: RunFlags, run: string): Promise<Prepared> {
  const { folder, header, entries } = readJournal(run)
  if ((await liveRuns()).has(header.runId)) {
    throw new UserError(`${show(folder)} is still being measured`, {
      hint: 'wait for its end, or interrupt it first',
    })
  }
  if (flags.out !== undefined)
    throw new UserError('--resume writes to the folder of the run: leave --out away')
  const recorded = header.flags as PlanFlags | undefined
  const wanted = await planFromFlags({ ...flags, ...recorded, ...recordedFlags(flags) })
  if (wanted.hash !== header.plan.hash) {
    throw new UserError(
      `the plan differs from that of ${show(folder)} (${wanted.hash.slice(0, 12)}, not ${header.plan.hash.slice(0, 12)})`,
      { hint: 'config, flags or version have changed since: put them back, or start a new run' },
    )
  }
  const current = await makeHeader(header.plan, header.runId, new Date(), {})
  const changedImages = Object.keys(current.host.bundles).filter(
    (image) => current.host.bundles[image] !== header.host.bundles[image],
  )
  if (changedImages.length > 0) {
    throw new UserError(
      `the images have changed since ${show(folder)} was started: ${changedImages.join(', ')}`,
      { hint: 'a run measures one build; start a new run' },
    )
  }
  const changed = (['hostKey', 'cpuModel', 'kernel', 'node'] as const).filter(
    (what) => current.host[what] !== header.host[what],
  )
  const variables = changedVariables(header.host, current.host)
  if (changed.length + variables.length > 0) {
    const texts = [
      ...changed.map((what) => `${what} ${current.host[what]}, not ${header.host[what]}`),
      ...variables,
    ]
    throw new UserError(
      `${show(folder)} was measured on another host, Node or environment: ${texts.join('; ')}`,
      { hint: 'a run measures one host and one Node; start a new run here' },
    )
  }
  return { plan: header.plan, folder, header, entries }
}

/** The flags that shape the plan, the config as seen from the working directory. */
function recordedFlags(flags: PlanFlags): PlanFlags {
  const { config } = flags
  const seen = config === undefined ? flags : { ...flags, config: relative(process.cwd(), resolve(config)) }
  return { ...planFlagsOf(seen), ...platformFlagsOf(flags) }
}

/** `meshbench 0.1.0 · local · reference · seed 1 · 6 arms × 10 rounds · about 2 min 40 s` */
function describeStart(plan: Plan): string {
  const { config, arms } = plan
  const rounds = roundsOf(plan)
  const adaptive = config.rounds.min < config.rounds.max
  return [
    `meshbench ${version}`,
    config.platform,
    Object.keys(config.arms).join(' + '),
    config.profile,
    `seed ${config.seed}`,
    `${arms.length} arms × ${adaptive ? `${config.rounds.min} to ` : ''}${rounds} rounds`,
    timeText(plan),
  ].join(' · ')
}

/** Ctrl-C under `npm run` arrives twice, from the terminal and from npm: that is one wish, not two. */
const sameInterruptMs = 1_000

/** The first interrupt takes the run down in order; a later one ends the process at once. */
function catchInterrupts(display: Display): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController()
  // Every subprocess of a run listens to it.
  setMaxListeners(0, controller.signal)
  let firstAt = 0
  const onSignal = () => {
    if (controller.signal.aborted) {
      if (performance.now() - firstAt > sameInterruptMs) {
        display.line(`ended at once; \`meshbench clean\` finds containers and clusters that are left`)
        process.exit(exitCodes.interrupted)
      }
      return
    }
    firstAt = performance.now()
    display.clear()
    display.line('interrupted: taking everything down; what was measured is kept (again to end at once)')
    controller.abort(new Error('interrupted'))
  }
  return { signal: controller.signal, stop: onInterrupt(onSignal) }
}

function show(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}
