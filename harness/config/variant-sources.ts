/** Reads `--variant name=…` and fetches what it names: settings, a folder of bundles, a git ref to build, a container image. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CommandError, UserError, messageOf } from '../model/errors.js'
import { run } from '../process/exec.js'
import { exitOnInterrupt } from '../process/interrupts.js'
import type { OwnProgram, ProgramBuild, Variant } from '../model.js'
import { configError, someOf } from './problems.js'
import { SettingsProblem, parseSettings } from './variant-settings.js'
import { packageRoot } from '../process/package-root.js'
import { createStateDir, newRunId } from '../process/state.js'
import { ownPrograms } from '../model/variants.js'
import { functionNames, functions, type FunctionName, type MeshFunction } from '../../scenarios/functions.js'
import { bundleStore, imageBundle, storeBundle } from '../../infra/images/bundles.js'
import { defined } from '../model/defined.js'

const forms = [
  'name=unchanged',
  'name=function:<function of a hop, see `meshbench list`>',
  'name=set:proxy.filters.burn.cpuUs=50 (several, separated by commas; a list or an object as JSON: tunnel.ports=[8080])',
  'name=git:<ref>',
  'name=bundles:<folder with proxy.mjs or tunnel.mjs>',
  'name=image:proxy=<reference>',
]

type Fetched = Omit<Variant, 'name'>

/**
 * Turns flags into variants, in order. Builds what has to be built; sources that it needs are removed again before this returns.
 *
 * Throws a `UserError` that names the flag and what is allowed.
 */
export async function resolveVariants(flags: readonly string[]): Promise<readonly Variant[]> {
  const variants: Variant[] = []
  for (const flag of flags) {
    const at = flag.indexOf('=')
    const [name, text] = [flag.slice(0, Math.max(0, at)), flag.slice(at + 1)]
    if (!/^[A-Za-z0-9][\w.-]{0,31}$/.test(name))
      throw malformed(flag, 'the name is not of letters, digits, dots and dashes')
    if (variants.some((other) => other.name === name)) throw malformed(flag, `${name} is there twice`)
    const variant = { name, ...(await fetchVariant(flag, text)) }
    variants.push(...withControl(variant))
  }
  return variants
}

/** A function that knows what its arm is without it brings that arm along, as its control. */
function withControl(variant: Variant): readonly Variant[] {
  const found: MeshFunction | undefined = functions[variant.function as FunctionName]
  if (found?.without === undefined) return [variant]
  const name = `${variant.name}.without`
  const source = `without ${variant.source}`
  return [
    { name, source, settings: { ...found.without }, builds: {} },
    { ...variant, control: name },
  ]
}

async function fetchVariant(flag: string, text: string): Promise<Fetched> {
  const [, kind = '', rest = ''] = /^(\w+)(?::(.*))?$/s.exec(text) ?? []
  switch (kind) {
    case 'unchanged':
      return { source: 'as configured', settings: {}, builds: {} }
    case 'function':
      return functionVariant(flag, rest)
    case 'set':
      return { source: rest, settings: await settingsOf(flag, rest), builds: {} }
    case 'git':
      return buildRef(flag, rest)
    case 'bundles':
      return readBundles(flag, rest)
    case 'image':
      return { source: 'container image', settings: {}, builds: parseImages(flag, rest) }
    default:
      throw malformed(flag, 'it does not say what to vary')
  }
}

function functionVariant(flag: string, text: string): Fetched {
  const name = functionNames.find((known) => known === text)
  if (name === undefined)
    throw malformed(flag, `no function named ${JSON.stringify(text)}; there are ${functionNames.join(', ')}`)
  const { title, settings, requestHeaders }: MeshFunction = functions[name]
  return {
    source: title,
    settings: { ...settings },
    builds: {},
    function: name,
    ...defined({ requestHeaders }),
  }
}

async function settingsOf(flag: string, text: string): Promise<Fetched['settings']> {
  return parseSettings(text).catch((error: unknown) => {
    throw error instanceof SettingsProblem ? malformed(flag, error.message) : error
  })
}

/** `--function a b` as variants of these names; `all` is every function. */
export function functionFlags(names: readonly string[]): readonly string[] {
  const { value: known, problems } = someOf(names, ['all', ...functionNames], '--function')
  if (problems.length > 0) throw configError('the command line', problems)
  return known.flatMap((name) =>
    name === 'all' ? functionNames.map((each) => `${each}=function:${each}`) : [`${name}=function:${name}`],
  )
}

function malformed(flag: string, problem: string): UserError {
  return new UserError(`--variant ${JSON.stringify(flag)}: ${problem}`, {
    hint: `allowed: ${forms.join(' · ')}`,
  })
}

function parseImages(flag: string, text: string): Partial<Record<OwnProgram, ProgramBuild>> {
  const builds: Partial<Record<OwnProgram, ProgramBuild>> = {}
  for (const pair of text.split(',')) {
    const [, program = '', reference = ''] = /^(\w+)=(\S+)$/.exec(pair) ?? []
    const known = ownPrograms.find((own) => own === program)
    if (known === undefined)
      throw malformed(flag, `${JSON.stringify(pair)} is not proxy=<reference> or tunnel=<reference>`)
    builds[known] = { reference }
  }
  return builds
}

async function readBundles(flag: string, folder: string): Promise<Fetched> {
  const builds: Partial<Record<OwnProgram, ProgramBuild>> = {}
  for (const program of ownPrograms) {
    const file = join(resolve(folder), `${program}.mjs`)
    if (!existsSync(file)) continue
    const { sha256 } = await storeBundle(program, await readFile(file, 'utf8'))
    builds[program] = { sha256 }
  }
  if (Object.keys(builds).length === 0)
    throw malformed(flag, `neither proxy.mjs nor tunnel.mjs is in ${folder}`)
  return { source: `bundles of ${folder}`, settings: {}, builds }
}

/**
 * Builds proxy and tunnel of a ref from a copy of its files, with the packages that are installed here. No worktree: git
 * would remember one of a process that was killed.
 */
async function buildRef(flag: string, ref: string): Promise<Fetched> {
  const git = async (...args: string[]) => (await run(['git', '-C', packageRoot, ...args])).stdout.trim()
  if (ref === '' || ref.startsWith('-')) throw malformed(flag, 'a git ref is needed')
  const commit = await git('rev-parse', '--verify', `${ref}^{commit}`).catch((error: unknown) => {
    const why = error instanceof CommandError ? error.tail.trim() : messageOf(error)
    throw malformed(flag, `${ref} is no commit here: ${why}`)
  })
  const letInterrupt = exitOnInterrupt()
  // Like a run's, so that `meshbench clean` finds it.
  const folder = await createStateDir(newRunId(new Date()))
  const [archive, tree] = [join(folder, 'tree.tar'), join(folder, 'tree')]
  try {
    await git('archive', '--format=tar', `--output=${archive}`, commit)
    await mkdir(tree)
    await run(['tar', '-xf', archive, '-C', tree])
    await symlink(join(packageRoot, 'node_modules'), join(tree, 'node_modules'))
    const builds: Partial<Record<OwnProgram, ProgramBuild>> = {}
    for (const program of ownPrograms) {
      const { sha256 } = await imageBundle(program, join(tree, 'infra/images'), bundleStore)
      builds[program] = { sha256 }
    }
    return { source: `git ${ref} (${commit.slice(0, 12)})`, settings: {}, builds }
  } catch (error) {
    throw new UserError(`--variant ${JSON.stringify(flag)}: ${ref} does not build: ${messageOf(error)}`, {
      hint: 'it is built with the packages installed here; build it elsewhere and give its bundles: name=bundles:<folder>',
      cause: error,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
    letInterrupt()
  }
}
