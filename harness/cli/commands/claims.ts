/** `meshbench claims`: each claim, what decides it, how long that takes here, and what the last run that knows says. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { analyze } from '../../analyze/analyze.js'
import { claimIds, claims } from '../../analyze/claims/claims.js'
import type { PlanFlags } from '../../config/flags.js'
import { UserError, exitCodes, type ExitCode } from '../../model/errors.js'
import type { ClaimAnalysis, ClaimId } from '../../model.js'
import { formatDuration } from '../../run/display.js'
import { readJournal, runsIn } from '../../run/journal.js'
import type { Experiment } from '../../../scenarios/experiments/experiment.js'
import { experiments } from '../../../scenarios/experiments/index.js'
import { longestMs } from '../../model/plan.js'
import { planFromFlags } from './planning.js'
import { print } from '../print.js'
import { defined } from '../../model/defined.js'

interface ClaimRow {
  readonly id: ClaimId
  readonly claim: string
  readonly experiments: readonly ExperimentTime[]
  /** What has to be measured, and the command that does. */
  readonly needs: string
  readonly command: string
  readonly last?: { readonly run: string } & Pick<ClaimAnalysis, 'verdict' | 'sentence' | 'next'>
}

interface ExperimentTime {
  readonly name: string
  /** ms, with the arms and the profile of the config; absent where it cannot be planned so. */
  readonly estimateMs?: number
  /** Why it cannot be planned so. */
  readonly refused?: string
}

export async function claimsCommand(flags: PlanFlags & { json: boolean }): Promise<ExitCode> {
  const { config } = await planFromFlags(flags)
  const times = new Map<string, ExperimentTime>()
  for (const { name } of Object.values<Experiment>(experiments)) times.set(name, await timeOf(name, flags))
  const runs = [...newestRuns(config.outDir)]
  const rows = claimIds.map((id): ClaimRow => {
    const deciding = Object.values<Experiment>(experiments).filter(({ claims = [] }) => claims.includes(id))
    const last = lastWord(id, runs)
    const { claim, needs, flags: asked } = claims[id]
    return {
      id,
      claim,
      needs,
      command: `meshbench run ${asked}`,
      experiments: deciding.flatMap(({ name }) => times.get(name) ?? []),
      ...defined({ last }),
    }
  })
  if (flags.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
  else print([...rows.map(describe), lackText].join('\n\n'))
  return exitCodes.ok
}

/** At most what the run's budget lets it take, or its least rounds. */
async function timeOf(name: string, flags: PlanFlags): Promise<ExperimentTime> {
  try {
    const plan = await planFromFlags({ ...flags, experiment: [name] })
    return { name, estimateMs: longestMs(plan) }
  } catch (error) {
    // A config may have no arm that this experiment can be put to.
    if (error instanceof UserError) return { name, refused: error.message }
    throw error
  }
}

interface KnownRun {
  readonly name: string
  readonly claims: readonly ClaimAnalysis[]
}

const mostRuns = 20

/** Runs of a folder, the newest first; those that cannot be read are left out. */
function* newestRuns(folder: string): Generator<KnownRun> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
  const journals = runsIn(folder)
    .flatMap((name) => {
      try {
        const { header, entries } = readJournal(join(folder, name))
        return [{ name, startedAt: header.startedAt, entries }]
      } catch {
        return []
      }
    })
    .sort((a, b) => b.startedAt.localeCompare(a.startedAt))
  for (const { name, entries } of journals.slice(0, mostRuns))
    yield { name: join(folder, name), claims: analyze(entries).claims }
}

function lastWord(id: ClaimId, runs: readonly KnownRun[]): ClaimRow['last'] {
  for (const { name, claims } of runs) {
    const found = claims.find((claim) => claim.id === id && claim.verdict !== 'no data')
    if (found) {
      const { verdict, sentence, next } = found
      return { run: name, verdict, sentence, ...defined({ next }) }
    }
  }
  return undefined
}

const lackText = 'What this host lacks for one of them is told by `meshbench doctor` with the same flags.'

function describe({ id, claim, experiments: deciding, needs, command, last }: ClaimRow): string {
  const by = deciding.map(
    ({ name, estimateMs, refused = '' }) =>
      `${name} (${estimateMs === undefined ? `not with this config: ${refused}` : `about ${formatDuration(estimateMs)}`})`,
  )
  return [
    `${id}  ${claim}`,
    `    decided by: ${by.length === 0 ? 'nothing that this version has' : by.join(', ')}`,
    `    to decide it: ${needs}`,
    `        ${command}`,
    last
      ? `    ${last.verdict} (${last.run}): ${last.sentence}${last.next === undefined ? '' : ` What would decide it: ${last.next}.`}`
      : '    no run has data on it',
  ].join('\n')
}
