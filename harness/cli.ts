#!/usr/bin/env node
/** The command line: verbs, flags, and what failures look like to a person. */
import { resolve } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { printable } from './cli/print.js'
import { CommandError, UserError, exitCodes, type ExitCode } from './model/errors.js'
import { outliveTerminal } from './process/interrupts.js'
import { version } from './process/package-root.js'
import { fleetOption, notEmpty, planFlags, type AnyFlag } from './config/flags.js'

const program = new Command('meshbench')
  .description(
    'Measures what each hop of a service mesh costs, and which architecture is cheaper for your traffic.',
  )
  .version(version)
  .option('--verbose', 'show stack traces', false)
  .showHelpAfterError('(--help tells what is allowed)')
  .exitOverride()

const planVerbs: Command[] = []

/** Flags that platforms declare. All platforms come with them, so that verbs that take none do not load them. */
async function addPlatformFlags(words: readonly string[]): Promise<void> {
  const asked = program.commands.find((command) =>
    [command.name(), ...command.aliases()].some((name) => words.includes(name)),
  )
  const isAboutAll = words.some((word) => ['-h', '--help', '-V', '--version'].includes(word))
  if (asked ? !planVerbs.includes(asked) : isAboutAll) return
  const { flagOf, platformFlags } = await import('../infra/platforms/index.js')
  for (const command of planVerbs)
    for (const { name, summary } of platformFlags) command.option(flagOf(name), summary)
}

/** Flags that shape a plan: the same for run, plan, doctor and pull. */
function withPlanFlags(command: Command): Command {
  planVerbs.push(command)
  for (const flag of Object.values<AnyFlag>(planFlags)) {
    const option = new Option(flag.option, flag.help)
    if (flag.choices) option.choices(flag.choices)
    if (flag.parse) option.argParser((text, before) => flag.parse?.(text, before))
    command.addOption(option)
  }
  return command
}

/** What is written of a run: the same for run and report. */
function withOutputFlags(command: Command): Command {
  return command
    .option('--format <names>', 'formats, comma-separated or repeated (default: html,json)', collectNames)
    .option('--chart <names>', 'charts for --format chart-svg or chart-png', collectNames)
    .option('--theme <name>', 'of charts: light or dark (default: light)')
}

withOutputFlags(withPlanFlags(program.command('run')))
  .description('measure and write the report')
  .option('--out <folder>', 'folder of this run (default: results/<time>-<platform>)', notEmpty)
  .option('--resume <run>', 'go on with a run that was cut off', notEmpty)
  .option('--json', 'print the analysis as JSON, and progress on standard error', false)
  .option('--force', 'measure although another run is being measured on this host', false)
  .action(verb(async () => (await import('./cli/commands/run.js')).runCommand))

withPlanFlags(program.command('plan'))
  .description('print what a run would do, and how long it would take')
  .option('--json', 'print the plan as JSON', false)
  .action(verb(async () => (await import('./cli/commands/plan.js')).planCommand))

withOutputFlags(program.command('report'))
  .description('render a run again, from its journal alone')
  .argument('<run>', 'folder of a run', notEmpty)
  .option('--out <folder>', 'where to write (default: the folder of the run)', notEmpty)
  .option(...fleetOption)
  .option('--json', 'print the analysis as JSON', false)
  .action(verb(async () => (await import('./cli/commands/report.js')).reportCommand))

program
  .command('redact')
  .description('write a run without what names its host, user, cluster or network, to be shown to strangers')
  .argument('<run>', 'folder of a run', notEmpty)
  .requiredOption('--out <folder>', 'where to write journal and report', notEmpty)
  .option('--hide <text...>', 'hide this, too, wherever it stands')
  .action(verb(async () => (await import('./cli/commands/redact.js')).redactCommand))

program
  .command('compare')
  .description('set two runs side by side; refuses those of another host or plan')
  .argument('<run-a>', 'folder of the earlier run', notEmpty)
  .argument('<run-b>', 'folder of the later run', notEmpty)
  .option('--out <file>', 'page to write (default: compare-<run a>.html in the folder of run b)', notEmpty)
  .option('--force', 'compare in spite of another host or plan; the page says so', false)
  .action(verb(async () => (await import('./cli/commands/compare.js')).compareCommand))

program
  .command('gate')
  .description('decide by a run with variants or thresholds: exit code 1 when something got worse or failed')
  .argument('<run>', 'folder of a run', notEmpty)
  .addOption(
    new Option('--inconclusive <policy>', 'what undecided checks do (default: as the config says)').choices([
      'pass',
      'fail',
    ]),
  )
  .option('--practical <share>', 'smallest relative change that matters, for all checks', parseShare)
  .action(verb(async () => (await import('./cli/commands/gate.js')).gateCommand))

program
  .command('index')
  .description('write the front page of a folder of runs, with trends')
  .argument('<folder>', 'folder that holds folders of runs', notEmpty)
  .action(verb(async () => (await import('./cli/commands/index-runs.js')).indexCommand))

program
  .command('list')
  .description('list platforms, meshes, paths, experiments, engines and profiles')
  .option('--json', 'as JSON', false)
  .action(verb(async () => (await import('./cli/commands/list.js')).listCommand))

withPlanFlags(program.command('claims'))
  .description('each claim, what decides it, how long that takes, and what the last run says')
  .option('--json', 'as JSON', false)
  .action(verb(async () => (await import('./cli/commands/claims.js')).claimsCommand))

withPlanFlags(program.command('doctor').alias('check'))
  .description('check that this host can do what the config asks for; creates nothing')
  .action(verb(async () => (await import('./cli/commands/doctor.js')).doctorCommand))

withPlanFlags(program.command('pull'))
  .description('download what a run needs ahead, for hosts without a network')
  .option('--list', 'only list it', false)
  .action(verb(async () => (await import('./cli/commands/pull.js')).pullCommand))

program
  .command('mix')
  .description(
    'print the kinds of request of an access log (Envoy, Istio, nginx, Apache), for an experiment’s `mix`',
  )
  .argument('<file>', 'access log; - for standard input', notEmpty)
  .option('--kinds <n>', 'how many kinds at most', parseKinds, 8)
  .action(verb(async () => (await import('./cli/commands/mix.js')).mixCommand))

program
  .command('truth')
  .description(
    'show which load generators on this host can be believed, and for what: takes minutes and both cores',
  )
  .option(
    '--tool <names>',
    'only these, comma-separated or repeated (default: all that are found)',
    collectNames,
  )
  .option('--out <folder>', 'folder of the table (default: results/<time>-truth)', notEmpty)
  .option(
    '--against <file>',
    'truth.json of an earlier table of this host: exit code 1 when cells disagree',
    notEmpty,
  )
  .option('--json', 'print the table as JSON', false)
  .action(verb(async () => (await import('./cli/commands/truth.js')).truthCommand))

program
  .command('clean')
  .description(
    'end and remove whatever runs that were killed left behind; what living runs have is left alone',
  )
  .argument('[run-id]', 'only this run, even if it is still alive', notEmpty)
  .option('--dry-run', 'only list it', false)
  .option('--force', 'take what living runs have, too', false)
  .action(verb(async () => (await import('./cli/commands/clean.js')).cleanCommand))

program
  .command('init')
  .description('write a commented bench.config.ts')
  .option('--force', 'overwrite the one that is there', false)
  .action(verb(async () => (await import('./cli/commands/init.js')).initCommand))

/** Sets the exit code by a verb. Verbs are loaded when called: most need neither charts nor Docker. */
function verb<Given extends unknown[]>(load: () => Promise<(...given: Given) => Promise<ExitCode>>) {
  return async (...given: Given): Promise<void> => {
    const command = await load()
    process.exitCode = await command(...given)
  }
}

function parseShare(text: string): number {
  const share = Number(text)
  if (!(share > 0 && share <= 1)) throw new InvalidArgumentError('a share above 0, at most 1, is needed.')
  return share
}

function parseKinds(text: string): number {
  const kinds = Number(text)
  if (!/^\d+$/.test(text) || kinds < 1 || kinds > 64)
    throw new InvalidArgumentError('a whole number from 1 to 64 is needed.')
  return kinds
}

/** `a,b` and repeated flags alike, so that a flag never swallows the argument after it. */
function collectNames(text: string, names: readonly string[] = []): readonly string[] {
  const added = text.split(',').filter((name) => name.trim() !== '')
  if (added.length === 0) throw new InvalidArgumentError('a name is needed.')
  return [...names, ...added]
}

function describe(error: unknown, verbose: boolean): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has already written its message; help and version are no errors.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  }
  const print = (text: string) => process.stderr.write(`${printable(text)}\n`)
  if (error instanceof UserError) {
    print(`meshbench: ${error.message}`)
    if (error.hint !== undefined) print(`  → ${error.hint}`)
  } else if (error instanceof CommandError) {
    print(`meshbench: ${error.message}`)
    print(error.tail.trimEnd().split('\n').slice(-12).join('\n'))
  } else {
    print(`meshbench: ${error instanceof Error ? error.message : String(error)}`)
    if (!verbose) print('  → this looks like a bug in Meshbench; --verbose shows where')
  }
  if (verbose && error instanceof Error && error.stack) print(error.stack)
  return error instanceof UserError ? error.exitCode : exitCodes.runFailed
}

/**
 * A reader that has gone (`meshbench list | head`, a terminal that was closed) ends no verb: what a run measures lies in
 * its folder. An output that cannot be kept, as on a full disk, is a failure.
 */
function watchOutput(): void {
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || error.code === 'EIO') return
    const problem = new UserError(`cannot write the output: ${error.message}`, {
      exitCode: exitCodes.runFailed,
    })
    const exitCode = describe(problem, false)
    process.once('exit', () => (process.exitCode = exitCode))
  })
}

/** Hops and images have working directories of their own, from which a relative folder would be another. */
function anchorTemporaryFolder(): void {
  for (const name of ['TMPDIR', 'TMP', 'TEMP']) {
    const folder = process.env[name]
    if (folder !== undefined && folder !== '') process.env[name] = resolve(folder)
  }
}

watchOutput()
outliveTerminal()
anchorTemporaryFolder()
try {
  await addPlatformFlags(process.argv.slice(2))
  await program.parseAsync()
} catch (error) {
  process.exitCode = describe(error, process.argv.includes('--verbose'))
}
