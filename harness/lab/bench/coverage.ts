/**
 * Do the statistics keep their promises? Simulates runs on hosts whose truth is known, prints the tables that
 * harness/stats/README.md holds, and exits 1 when a promise is broken. Nothing is timed: it may run beside other work.
 *
 *     npm run bench:coverage -- [--runs 10000] [--design full] [--host restless]
 *
 * With a design or a host, only those rows; the design `found` is the last table, whether the full profile finds what
 * the quick one calls detectable. Rows are simulated in processes of their own, one on each core.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { UserError, exitCodes } from '../../model/errors.js'
import { run } from '../../process/exec.js'
import {
  brokenPromises,
  designs,
  effects,
  findByFull,
  isFirm,
  percent,
  simulateCoverage,
  type DesignName,
  type HostName,
} from '../../stats/simulation/coverage.js'
import { hostNoises } from '../../stats/simulation/simulated-host.js'
import { exitCodeOf, interruptSignal, readFlags, wholeFlag } from './series.js'

interface Job {
  readonly design: DesignName | 'found'
  readonly host: HostName
}

interface Line {
  readonly cells: readonly string[]
  readonly broken: readonly string[]
}

/** A row that takes longer is stuck. */
const longestRowMs = 3 * 3_600_000

const rowHead = [
  ...['design', 'host', 'rounds', 'ratio', 'difference', 'lowest', 'A/A', 'gate', 'detectable', 'found'],
  ...effects.map((size) => `finds ${size * 100} %`),
]
const foundHead = ['host', 'effect', 'found']

/** Rows run in process groups of their own, which Ctrl-C does not reach. */
const signal = interruptSignal()

process.exitCode = await main().catch((error: unknown) => {
  return signal.aborted ? exitCodes.interrupted : exitCodeOf(error)
})

async function main(): Promise<number> {
  const flags = readFlags({ runs: 10_000, design: undefined, host: undefined, row: false })
  const runs = wholeFlag('runs', flags.runs, 4)
  const rowDesigns = chosen(
    'design',
    [...(Object.keys(designs) as DesignName[]), 'found' as const],
    flags.design,
  )
  const hosts = chosen('host', Object.keys(hostNoises) as HostName[], flags.host)
  const jobs = rowDesigns.flatMap((design) => hosts.map((host): Job => ({ design, host })))
  const [only] = jobs
  if (flags.row && only) {
    console.log(JSON.stringify(simulate(only, runs)))
    return exitCodes.ok
  }
  const lines = await simulateAll(jobs, runs)
  const ofRows = jobs.flatMap(({ design }, index) => (design === 'found' ? [] : [lines[index] as Line]))
  const ofFound = jobs.flatMap(({ design }, index) => (design === 'found' ? [lines[index] as Line] : []))
  if (ofRows.length > 0) {
    console.log(
      `${runs} simulated runs a row, power from ${Math.ceil(runs / 4)}; A/A and power after Holm's correction\n`,
    )
    console.log(table([rowHead, ...ofRows.map(({ cells }) => cells)]))
  }
  if (ofFound.length > 0) {
    console.log(
      `\nwhat the quick profile calls detectable, looked for by the full one in ${Math.ceil(runs / 4)} runs a row\n`,
    )
    console.log(table([foundHead, ...ofFound.map(({ cells }) => cells)]))
  }
  const broken = lines.flatMap((line) => line.broken)
  console.log(broken.length === 0 ? '\nevery promise is kept' : `\nbroken:\n  ${broken.join('\n  ')}`)
  return broken.length === 0 ? exitCodes.ok : exitCodes.thresholdFailed
}

function chosen<T extends string>(what: string, all: readonly T[], name: string | undefined): readonly T[] {
  if (name === undefined) return all
  const found = all.filter((other) => other === name)
  if (found.length === 0) throw new UserError(`--${what}: ${name} is none of ${all.join(', ')}`)
  return found
}

function simulate({ design, host }: Job, runs: number): Line {
  const noise = hostNoises[host]
  if (design === 'found') {
    const { effect, found, broken } = findByFull(noise, Math.ceil(runs / 4))
    return { cells: [host, percent(effect), percent(found)], broken }
  }
  const row = simulateCoverage(noise, designs[design], runs)
  const [fewest, most] = row.rounds
  return {
    cells: [
      row.design,
      host,
      fewest === most
        ? String(fewest)
        : `${row.meanRounds.toFixed(0)} (${fewest.toFixed(0)} to ${most.toFixed(0)})`,
      ...[row.ratio, row.difference, row.lowest, row.falseAlarms, row.gateAlarms].map(percent),
      // Two rounds see nothing.
      ...[row.detectable, row.power, ...row.powers].map((share) =>
        isFirm(row.meanRounds) ? percent(share) : '–',
      ),
    ],
    broken: brokenPromises(row).map((promise) => `${row.design}, ${host}: ${promise}`),
  }
}

/** The lines of all jobs, in their order; the longest are begun first. */
async function simulateAll(jobs: readonly Job[], runs: number): Promise<readonly Line[]> {
  const lines = new Array<Line>(jobs.length)
  const length = ({ design }: Job): number => (design === 'full' ? 2 : design === 'found' ? 1 : 0)
  const queue = [...jobs.entries()].sort(([, a], [, b]) => length(b) - length(a))
  const begin = performance.now()
  const workOff = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, { design, host }] = next
      const argv = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)]
      const asked = ['--row', '--runs', String(runs), '--design', design, '--host', host]
      const { stdout } = await run([...argv, ...asked], { timeoutMs: longestRowMs, signal })
      lines[index] = JSON.parse(stdout) as Line
      const seconds = Math.round((performance.now() - begin) / 1000)
      process.stderr.write(`${String(seconds).padStart(5)} s  ${lines[index].cells.join('  ')}\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), jobs.length) }, workOff))
  return lines
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = rows
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(line)].join(
    '\n',
  )
}
