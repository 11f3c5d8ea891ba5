/**
 * Shows that the gate decides what it should, with real runs: a variant that burns at least 10 % more CPU per request is worse,
 * an equal one is not different, and a run that is too short is inconclusive. Exits with 1 when one of these fails.
 */
import * as metrics from '../../../scenarios/metrics.js'
import { analyze } from '../../analyze/analyze.js'
import { gate, type GateState } from '../../analyze/gate.js'
import { createWorkspace, type Workspace } from '../../testing/cli.js'

const arm = 'reference/l7-per-node'
const checks = [{ metric: metrics.cpu.id, practical: 0.05 }] as const
/** So many that an interval of what a busy host gives is narrower than what the burn lies beyond the practical change. */
const rounds = Number(process.argv[2] ?? 40)

const config = {
  arms: { reference: ['l7-per-node'] },
  experiments: { latency: { ratesPerSecond: [500], connections: 8, warmupMs: 200, durationMs: 1000 } },
  gate: { checks, inconclusive: 'fail' },
}

interface Case {
  readonly title: string
  readonly expected: string
  readonly found: string
  readonly ok: boolean
}

async function measure(
  workspace: Workspace,
  out: string,
  count: number,
  variants: readonly string[],
): Promise<void> {
  const flags = variants.flatMap((variant) => ['--variant', variant])
  const { code, stderr } = await workspace.meshbench('run', '--rounds', String(count), '--out', out, ...flags)
  if (code !== 0) throw new Error(`the run ended with ${code}:\n${stderr}`)
}

/** The verdict on a variant's CPU, with its interval in words. */
function verdictOn(
  workspace: Workspace,
  run: string,
  variant: string,
): { state: GateState; sentence: string } {
  const result = gate(analyze(workspace.journal(run).entries))
  const found = result.variants.find((other) => other.arm === `${arm}@${variant}`)
  if (!found) throw new Error(`nothing is said of ${variant}`)
  return found
}

async function exitCodeOf(
  workspace: Workspace,
  run: string,
  policy: 'pass' | 'fail',
): Promise<number | null> {
  return (await workspace.meshbench('gate', run, '--inconclusive', policy)).code
}

/** CPU in µs that a request costs the unchanged variant, all of its components together. */
function requestCpuUs(workspace: Workspace, run: string): number {
  const { cells } = analyze(workspace.journal(run).entries)
  // ms per 1 000 requests are µs a request.
  return cells.find((cell) => cell.arm === `${arm}@old`)?.cpu?.value ?? Number.NaN
}

async function demonstrate(workspace: Workspace): Promise<readonly Case[]> {
  workspace.writeConfig(config)
  await measure(workspace, 'short', 2, ['old=unchanged', 'same=unchanged'])
  const short = verdictOn(workspace, 'short', 'same')
  const exits = [await exitCodeOf(workspace, 'short', 'pass'), await exitCodeOf(workspace, 'short', 'fail')]

  const cpuUs = Math.round(requestCpuUs(workspace, 'short') * 0.1 * 10) / 10
  console.log(
    `a request costs about ${(cpuUs * 10).toFixed(0)} µs of CPU when hops are cold: the variant burns ${cpuUs} µs more`,
  )
  await measure(workspace, 'long', rounds, [
    'old=unchanged',
    'same=unchanged',
    `burn=set:proxy.filters.burn.cpuUs=${cpuUs}`,
  ])
  const [same, burn] = [verdictOn(workspace, 'long', 'same'), verdictOn(workspace, 'long', 'burn')]
  const exit = await exitCodeOf(workspace, 'long', 'pass')
  // Warm hops need less, so that what is burned is a larger share of it than was aimed at.
  const share = cpuUs / requestCpuUs(workspace, 'long')
  return [
    {
      title: 'two rounds',
      expected: 'inconclusive; exits 0 where the policy lets it pass, 1 where not',
      found: `${short.sentence} Exits ${exits.join(' and ')}.`,
      ok: short.state === 'inconclusive' && exits.join() === '0,1',
    },
    {
      title: 'equal variants',
      expected: 'not different',
      found: same.sentence,
      ok: same.state === 'same' || same.state === 'inconclusive',
    },
    {
      title: `${cpuUs} µs more CPU, ${(share * 100).toFixed(0)} % of what a request costs in that run`,
      expected: 'worse; exits 1',
      found: `${burn.sentence} Exits ${exit ?? 'by a signal'}.`,
      ok: burn.state === 'worse' && exit === 1,
    },
  ]
}

/** Of one command; so many rounds take minutes. */
const workspace = createWorkspace({ timeoutMs: 900_000 })
try {
  const cases = await demonstrate(workspace)
  for (const { title, expected, found, ok } of cases)
    console.log(`${ok ? '✓' : '✗'} ${title}\n    expected: ${expected}\n    found:    ${found}`)
  process.exitCode = cases.every(({ ok }) => ok) ? 0 : 1
} finally {
  workspace.remove()
}
