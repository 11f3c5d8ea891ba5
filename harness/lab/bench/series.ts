/** Runs plans one after another into folders of their own, each as `meshbench run` would, and goes on where it was cut. */
import { onInterrupt } from '../../process/interrupts.js'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseFlags } from '../../../infra/images/bench/flags.js'
import { platforms } from '../../../infra/platforms/index.js'
import { analyze } from '../../analyze/analyze.js'
import { precisionReached } from '../../analyze/precision.js'
import { makeHeader } from '../../cli/commands/run.js'
import { createDisplay } from '../../run/display.js'
import { UserError, exitCodes, messageOf } from '../../model/errors.js'
import { journalName, openJournal, readJournal } from '../../run/journal.js'
import type { Analysis, JournalEntry, Mesh, Plan } from '../../model.js'
import { checkHost, executePlan } from '../../run/run.js'
import { newRunId } from '../../process/state.js'

interface SeriesRun {
  readonly plan: Plan
  readonly folder: string
  readonly meshes: Readonly<Record<string, Mesh>>
  readonly signal: AbortSignal
}

/**
 * The analysis of one run, measured now or before. Throws `UserError` when the host lacks something, when the folder
 * holds another plan, and when the run was interrupted or failed: what it measured is kept, and the next call goes on.
 */
export async function runOnce({ plan, folder, meshes, signal }: SeriesRun): Promise<Analysis> {
  const before = existsSync(join(folder, journalName)) ? readJournal(folder) : undefined
  if (before && before.header.plan.hash !== plan.hash)
    throw new UserError(`${folder} holds another plan`, { hint: 'choose another folder with --out' })
  if (before && isWhole(before.entries)) return analyze(before.entries)
  const platform = platforms.local
  const { platform: unmet } = await checkHost(plan, platform, meshes)
  if (unmet.length > 0)
    throw new UserError(`${unmet[0]?.need}: found ${unmet[0]?.found}`, { exitCode: exitCodes.hostLacks })
  await mkdir(folder, { recursive: true })
  const journal = openJournal(folder, before?.entries)
  try {
    const started = new Date()
    const header = before?.header ?? (await makeHeader(plan, newRunId(started), started, {}))
    journal.append(
      before ? { type: 'resume', at: started.toISOString(), command: process.argv.slice(2) } : header,
    )
    const { outcome, message } = await executePlan({
      plan,
      runId: header.runId,
      platform,
      meshes,
      journal,
      display: createDisplay({ write: () => true }),
      signal,
      precisionReached: (soFar) => precisionReached(soFar, plan.config),
    })
    if (outcome === 'interrupted')
      throw new UserError('interrupted; the same command goes on', { exitCode: exitCodes.interrupted })
    if (outcome === 'failed')
      throw new UserError(message ?? 'the run failed', { exitCode: exitCodes.runFailed })
  } finally {
    journal.close()
  }
  return analyze(readJournal(folder).entries)
}

function isWhole(entries: readonly JournalEntry[]): boolean {
  const end = entries.findLast((entry) => entry.type === 'end')
  return end !== undefined && end.outcome !== 'interrupted' && end.outcome !== 'failed'
}

/** Aborted by Ctrl-C, so that everything is taken down in order. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  onInterrupt(() => controller.abort(new Error('interrupted')))
  return controller.signal
}

/** A bench's options. Throws a `UserError` for what is none, or has no such value. */
export function readFlags<const Defaults extends Parameters<typeof parseFlags>[0]>(defaults: Defaults) {
  try {
    return parseFlags(defaults)
  } catch (error) {
    throw new UserError(messageOf(error))
  }
}

/** A flag that has to be a whole number of so many or more. Throws a `UserError`. */
export function wholeFlag(name: string, value: number, least = 1): number {
  if (!Number.isInteger(value) || value < least)
    throw new UserError(`--${name}: ${value} is no whole number of ${least} or more`)
  return value
}

/** Says what ended a bench, and gives the exit code for it. */
export function exitCodeOf(error: unknown): number {
  console.error(messageOf(error))
  return error instanceof UserError ? error.exitCode : exitCodes.runFailed
}
