/** The end of the page: proofs, trials that do not count, where and how it was measured, and how to do it again. */
import type { Analysis } from '../../../harness/model.js'
import type { Table, TableCell } from '../../charts/chart.js'
import { armHtml, type FigureLegend } from '../figures.js'
import { bytes, dateTime, duration, fixed, given, number, plural, thousand } from '../../formats/format.js'
import { isUnder, type View } from '../view.js'

/** More rows than this would make the page heavy; the embedded data has all of them. */
const mostRows = 1000

/** `legend` is of the whole page: the methods behind its figures stand here for readers without script. */
export function buildEvidence(view: View, { methods }: FigureLegend) {
  const { analysis } = view
  const trials = analysis.trials.slice(0, mostRows)
  return {
    proofs: proofTable(view),
    notValid: notValidTable(view),
    warnings: analysis.warnings,
    environment: environmentTable(analysis),
    sizing: sizingTable(view),
    method: method(view),
    command: commandLine(analysis),
    planHash: analysis.planHash.slice(0, 12),
    version: analysis.version,
    trials: trialTable(view, trials),
    trialsNote:
      trials.length < analysis.trials.length
        ? `The first ${fixed(trials.length, 0)} of ${plural(analysis.trials.length, 'trial')}; all of them are in the embedded data.`
        : '',
    config: JSON.stringify(analysis.config, null, 2),
    methods: { columns: ['method of estimation'], rows: methods.map((text) => [text]) },
  }
}

function proofTable(view: View): Table {
  const rows = Object.entries(view.analysis.proofs).flatMap(([arm, checks]) =>
    checks.map((check): TableCell[] => [
      { html: armHtml(view.arm(arm)) },
      check.name,
      check.ok ? 'holds' : 'does not hold',
      check.expected,
      check.actual,
      check.trials === undefined ? 'once' : plural(check.trials, 'trial'),
    ]),
  )
  return { columns: ['arm', 'check', 'result', 'expected', 'found', 'checked'], rows }
}

function notValidTable(view: View): Table {
  const { analysis } = view
  const rows = analysis.trials
    .filter((trial) => trial.state !== 'ok')
    .map((trial): TableCell[] => [
      fixed(trial.index + 1, 0),
      { html: armHtml(view.arm(trial.arm)) },
      fixed(trial.round + 1, 0),
      trial.state,
      [
        ...trial.reasons,
        ...(trial.error === undefined ? [] : [`${trial.error.kind}: ${trial.error.message}`]),
        ...trial.proofFailures.map(
          (check) => `${check.name}: expected ${check.expected}, found ${check.actual}`,
        ),
      ].join('; '),
      trial.error?.detail ?? '',
    ])
  return { columns: ['trial', 'arm', 'round', 'state', 'reasons', 'evidence'], rows }
}

function environmentTable(analysis: Analysis): Table {
  const { host } = analysis
  return {
    columns: ['what', 'value'],
    rows: [
      ['CPU', `${host.cpuModel}, ${plural(host.cpus, 'CPU')}`],
      ['memory', bytes(host.memoryBytes)],
      ['kernel', `${host.os} ${host.kernel}, ${host.arch}, cgroup ${host.cgroup}`],
      ['Node', host.node],
      ['load average before the run', number(host.loadAverage1m)],
      ['host key', host.hostKey],
      ...analysis.facts.map((fact) => [fact.name, fact.value]),
      ['Meshbench', analysis.version],
      ['run', analysis.runId],
      ['started, ended', `${dateTime(analysis.startedAt)}, ${dateTime(analysis.endedAt)}`],
      ['plan hash', analysis.planHash],
      ...Object.entries(host.bundles).map(([name, hash]) => [`bundle ${name}, SHA-256`, hash]),
    ],
  }
}

function sizingTable(view: View): Table {
  const cells = view.loads.flatMap((load) => {
    const [cell, ...others] = view.analysis.cells.filter(isUnder(load))
    return cell === undefined ? [] : [{ load, cell, arms: 1 + others.length }]
  })
  return {
    columns: [
      'experiment',
      'load',
      'engine',
      'warm-up',
      'window',
      'arms',
      'trials per arm',
      'what the engine cannot give',
    ],
    rows: cells.map(({ load, cell, arms }) => [
      load.experiment,
      load.text,
      `${load.load.engine}, ${load.load.model} loop`,
      duration(load.load.warmupMs),
      duration(load.load.durationMs),
      fixed(arms, 0),
      fixed(cell.trials.ok + cell.trials.invalid + cell.trials.failed, 0),
      cell.engineLimits?.join('; ') ?? '–',
    ]),
  }
}

function method(view: View): string[] {
  const { analysis, lead } = view
  const { rounds, seed, validity } = analysis.config
  const open = lead?.load.model === 'open'
  return [
    open
      ? 'Requests are due on a fixed schedule, whether or not earlier ones have been answered. Latency counts from the moment a request was due, so that waiting for a slow server is charged and nothing is skipped.'
      : 'Each connection sends its next request as soon as the last is answered; latency counts from the moment of sending, and throughput is what saturates.',
    `A round runs every arm once, in an order drawn from seed ${seed}; rounds repeat (${rounds.min} to ${rounds.max} planned here). Drift of the host then hits every arm alike.`,
    'The trial is the unit. Arms are compared within their round, and intervals are over rounds, never over requests. Latencies are kept as whole histograms in microseconds and merged by adding counts; percentiles are never averaged.',
    'The baseline is measured twice in every round under two names. The difference between the two is the noise floor: what this run would call an effect where there is none.',
    'CPU is read from cumulative counters at the edges of each window and divided by the requests of that window alone. The bill is reconciled with the total of the host; what no component accounts for is a row of its own.',
    `A trial does not count when it reached less than ${given(validity.minAchievedShare * 100)} % of its rate, sent later than ${given(validity.maxSendLagP99Us / 1000)} ms (p99), used more than ${fixed(validity.maxGeneratorCpuShare * 100, 0)} % of a core per worker for the generator of an open loop, had more than ${given(validity.maxErrorShare * 100)} % errors, or lost more than ${given(validity.maxStealShare * 100)} % of the host to others. It stays in the journal with its reason.`,
    'The path is proved, not assumed: before and after each trial the counters of every hop are compared with the requests that were sent. An arm that fails its proof is refused.',
    'Absolute times belong to this host. Compare differences and ratios from one run; do not rank hosts by them.',
  ]
}

/** Cells that rows of the table of trials refer to by position. */
export function trialCells({ analysis }: View): readonly string[] {
  return analysis.cells.map(({ cell }) => cell)
}

function trialTable(view: View, trials: Analysis['trials']): Table {
  const places = new Map(trialCells(view).map((cell, place) => [cell, place]))
  const maybe = (value: number | undefined, decimals?: number) =>
    value === undefined ? '–' : decimals === undefined ? number(value) : fixed(value, decimals)
  return {
    columns: [
      'trial',
      'round',
      'arm',
      'load',
      'state',
      'p50, ms',
      'p99, ms',
      'rate, req/s',
      `CPU, ms / ${thousand} req`,
      'lag p99, µs',
      'generator, %',
      'errors',
    ],
    cells: trials.map(({ cell }) => String(places.get(cell) ?? '')),
    rows: trials.map((trial) => [
      fixed(trial.index + 1, 0),
      fixed(trial.round + 1, 0),
      view.arm(trial.arm).label,
      trial.cell.split('|').at(-1) ?? '',
      trial.attempt > 0 ? `${trial.state}, attempt ${trial.attempt + 1}` : trial.state,
      maybe(trial.p50Ms),
      maybe(trial.p99Ms),
      maybe(trial.achievedRatePerSecond, 0),
      maybe(trial.cpuMsPer1000),
      maybe(trial.sendLagP99Us, 0),
      maybe(trial.generatorCpuShare === undefined ? undefined : trial.generatorCpuShare * 100, 0),
      maybe(trial.errors, 0),
    ]),
  }
}

/** What a shell takes, from the root of the repository. The journal keeps what followed the program's name. */
function commandLine({ command, config }: Analysis): string {
  const again = withoutFolder(command)
  // Said even when it was the default: a default may change.
  const seed = again.some((word) => /^--seed(=|$)/.test(word)) ? [] : ['--seed', String(config.seed)]
  return ['npm', 'run', 'meshbench', '--', ...again, ...seed].map(shellQuote).join(' ')
}

/** The folder of a run has that run in it: the same command would be refused there. */
function withoutFolder(command: readonly string[]): readonly string[] {
  return command.filter(
    (word, index) => command[index - 1] !== '--out' && word !== '--out' && !word.startsWith('--out='),
  )
}

/** Quotes an argument for a POSIX shell when it needs it. */
function shellQuote(argument: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replace(/'/g, `'\\''`)}'`
}
