/** The flags that shape a plan: one row each, for the command line, for what they change, and for the journal of a run. */
import { InvalidArgumentError } from 'commander'
import { profileNames, profiles } from './profiles.js'

interface Flag<Value> {
  /** As commander takes it; the value goes by the flag's name in camel case. */
  readonly option: string
  readonly help: string
  readonly choices?: readonly string[]
  /** Called for each occurrence; absent: text, or texts where the option ends with `...`. */
  parse?(text: string, before: Value | undefined): Value
}

const flag = <Value>(
  option: string,
  help: string,
  more: Omit<Flag<Value>, 'option' | 'help'> = {},
): Flag<Value> => ({ option, help, ...more })

export const fleetExample = 'requestsPerSecond=20000,pods=400,nodes=20,waypoints=2'

/** It changes nothing that is measured: a report can be asked for another. */
export const fleetOption = [
  '--fleet <numbers>',
  `tell what each path comes to in a fleet: ${fleetExample}`,
] as const

export const planFlags = {
  // No default of its own: a resumed run has the config that it was started with unless one is named.
  config: flag<string>('-c, --config <file>', 'config file (default: bench.config.ts)', { parse: notEmpty }),
  profile: flag<string>(
    '--profile <name>',
    profileNames.map((name) => `${name}: ${profiles[name].summary}`).join('; '),
    { choices: profileNames },
  ),
  platform: flag<string>('--platform <name>', 'where to run (see `meshbench list`)'),
  mesh: flag<readonly string[]>('--mesh <name...>', 'only these meshes, with all paths that they can form'),
  arm: flag<readonly string[]>(
    '--arm <name...>',
    'only these arms, as mesh/path, or a path or mesh of the config',
  ),
  experiment: flag<readonly string[]>(
    '--experiment <name...>',
    'only these experiments; `all` is what the budget allows, in the order of what decides most claims',
  ),
  engine: flag<string>(
    '--engine <name>',
    'drive the experiments with this load engine (see `meshbench list`)',
  ),
  rate: flag<readonly number[]>('--rate <requests-per-second...>', 'rates of the latency experiment', {
    parse: (text, rates = []) => [...rates, parseAbove0(text, 'requests per second')],
  }),
  rounds: flag<number>('--rounds <n>', 'exactly this many rounds', { parse: parseCount }),
  blocks: flag<number>(
    '--blocks <n>',
    'bring every environment up this often, each time with new processes',
    {
      parse: parseCount,
    },
  ),
  budget: flag<number>(
    '--budget <minutes>',
    'how long the trials may take, instead of what the profile allows',
    { parse: (text) => parseAbove0(text, 'minutes') },
  ),
  fleet: flag<string>(...fleetOption),
  seed: flag<number>('--seed <n>', 'seed of the order of trials', { parse: parseSeed }),
  variant: flag<readonly string[]>(
    '--variant <name=what>',
    'measure every arm with this build or setting, too (repeatable; the first of several is what the others are judged against)',
    { parse: (text, texts = []) => [...texts, text] },
  ),
  function: flag<readonly string[]>(
    '--function <name...>',
    'measure every arm with this function of its hops, too; `all` is each of them by itself',
  ),
}

export type AnyFlag = Flag<unknown>

export type PlanFlags = {
  readonly [Name in keyof typeof planFlags]?: (typeof planFlags)[Name] extends Flag<infer Value>
    ? Value
    : never
}

/** The flags that shape a plan out of all that a verb was given. */
export function planFlagsOf(flags: PlanFlags): PlanFlags {
  return Object.fromEntries(
    Object.entries(flags).filter(([name, value]) => name in planFlags && value !== undefined),
  )
}

/** The name of a file or folder. A script whose variable is empty would else mean the folder that it stands in. */
export function notEmpty(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('a name is needed.')
  return text
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 is needed.')
  return Number(text)
}

function parseSeed(text: string): number {
  const seed = Number(text)
  if (!/^\d+$/.test(text) || seed > 2 ** 32 - 1)
    throw new InvalidArgumentError('a whole number from 0 to 4294967295 is needed.')
  return seed
}

function parseAbove0(text: string, what: string): number {
  const number = Number(text)
  if (!Number.isFinite(number) || number <= 0)
    throw new InvalidArgumentError(`a number of ${what} above 0 is needed.`)
  return number
}
