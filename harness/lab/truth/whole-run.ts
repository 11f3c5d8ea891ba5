/** A whole run of the real command line, for checks whose answers are known beforehand. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { indexJournal, type Run } from '../../analyze/readings.js'
import type { Trial } from '../../model.js'
import { exitCodes } from '../../model/errors.js'
import { run } from '../../process/exec.js'
import { packageRoot } from '../../process/package-root.js'
import { readJournal } from '../../run/journal.js'

/** Such a run ends by itself: a host with other work may take several times what an idle one does, and waits for each of them. */
const killMs = 2_400_000

export interface RunOptions {
  readonly platform?: string
  readonly rounds?: number
  /** As `--variant` takes them. */
  readonly variants?: readonly string[]
  readonly meshSettings?: Readonly<Record<string, unknown>>
}

export interface Measured {
  readonly run: Run
  /** Those that succeeded; whether the host was idle meanwhile is the caller's to see to. */
  readonly trials: readonly Trial[]
}

/** Throws what the run said where this host cannot carry it. */
export async function measureRun(
  experiment: string,
  arms: Readonly<Record<string, readonly string[]>>,
  settings: Readonly<Record<string, unknown>>,
  { platform = 'local', rounds = 3, variants = [], meshSettings = {} }: RunOptions = {},
): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'meshbench-truth-'))
  try {
    const config = join(folder, 'bench.config.mjs')
    const whole = {
      ...{ platform, arms, meshSettings, experiments: { [experiment]: settings } },
      ...{ rounds: { min: rounds, max: rounds }, validity: { maxForeignCpuShare: 1 }, outDir: folder },
    }
    await writeFile(config, `export default ${JSON.stringify(whole)}`)
    const out = join(folder, 'run')
    const cli = [process.execPath, '--import', 'tsx', join(packageRoot, 'harness', 'cli.ts')]
    const flags = variants.flatMap((variant) => ['--variant', variant])
    const argv = [...cli, 'run', '--config', config, '--out', out, '--force', ...flags]
    const { code, stderr } = await run(argv, { cwd: packageRoot, timeoutMs: killMs, allowFailure: true })
    if (code === exitCodes.hostLacks || code === exitCodes.usage) throw new Error(stderr.trim())
    const { entries } = readJournal(out)
    const trials = entries.filter((entry) => entry.type === 'trial').filter(({ state }) => state === 'ok')
    return { run: indexJournal(entries), trials }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What was read of the first variant less what was read of the second under a load, by round, of rounds that have both. */
export function pairedDifferences(
  trials: readonly Trial[],
  load: string,
  variants: readonly [treated: string, control: string],
  read: (trial: Trial) => number | undefined,
): ReadonlyMap<number, number> {
  const [treated, control] = variants.map((variant) => {
    const own = trials.filter(({ cell }) => cell.includes(`@${variant}|`) && cell.includes(`|${load}`))
    return new Map(own.map((trial) => [trial.round, read(trial)]))
  })
  return new Map(
    [...(treated ?? [])].flatMap(([round, value]) => {
      const other = control?.get(round)
      return value === undefined || other === undefined ? [] : [[round, value - other] as const]
    }),
  )
}
