/** Finds the programs that clusters are made and driven with: on the PATH, in the cache, or where they can be downloaded from. */
import { access, chmod, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError, exitCodes } from '../../harness/model/errors.js'
import { findProgram, run } from '../../harness/process/exec.js'
import type { HostPlatform, ToolPin, Unmet } from '../../harness/model.js'
import { reachable } from '../../harness/process/reachable.js'
import {
  defaultCacheDir,
  isFilled,
  pullAhead,
  pullAheadRemedy,
  toolItem,
  type Mirrors,
  type PullItem,
} from './pull.js'
import { tools, type ToolName } from './versions.js'

const pinned: Readonly<Record<ToolName, ToolPin>> = tools

/** Absolute paths of the programs that were asked for. */
export type Tools = Readonly<Partial<Record<ToolName, string>>>

export interface ToolOptions {
  readonly names: readonly ToolName[]
  readonly cacheDir?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly mirrors?: Mirrors
  /** The command that fetches them ahead, with everything else that the run needs. */
  readonly pullCommand?: string
  /** Replaced in tests. */
  readonly find?: (name: string) => Promise<string | undefined>
  readonly isReachable?: (url: string) => Promise<boolean>
}

/** What downloads are named after; undefined where nothing is published for. */
export function hostPlatform(
  platform: string = process.platform,
  arch: string = process.arch,
): HostPlatform | undefined {
  const name = `${platform}/${{ x64: 'amd64', arm64: 'arm64' }[arch] ?? arch}`
  return (['linux/amd64', 'linux/arm64', 'darwin/arm64'] as const).find((known) => known === name)
}

/** Missing tools that cannot be downloaded from here either, each with what to do. Downloads nothing. */
export async function checkTools(options: ToolOptions): Promise<readonly Unmet[]> {
  const { isReachable = reachable, pullCommand = 'meshbench pull' } = options
  const unmet = await Promise.all(
    options.names.map(async (name): Promise<readonly Unmet[]> => {
      if (await findTool(name, options)) return []
      const item = downloadOf(name, options.mirrors)
      if (item && (await isReachable(item.source))) return []
      const other = await (options.find ?? findProgram)(name)
      const newer = other && (await newerMajor(name, other))
      const onPath = newer === undefined ? 'not on the PATH' : `${newer} on the PATH, a major version ahead`
      return [
        {
          need: item ? `${name} ${item.version}` : name,
          found: item
            ? `${onPath}, not in ${options.cacheDir ?? defaultCacheDir()}, and ${item.source} cannot be reached`
            : `${onPath}, and nothing is pinned for ${process.platform}/${process.arch}`,
          remedy: item
            ? `install ${name}, or ${pullAheadRemedy(pullCommand)}`
            : `install ${name} and put it on the PATH`,
        },
      ]
    }),
  )
  return unmet.flat()
}

/** Finds every tool, downloading at its pinned version and digest what is missing. Throws `UserError`. */
export async function requireTools(options: ToolOptions): Promise<Tools> {
  const found: Partial<Record<ToolName, string>> = {}
  for (const name of options.names)
    found[name] = (await findTool(name, options)) ?? (await fetchTool(name, options))
  return found
}

/** Path of a program on the PATH or in the cache; nothing is downloaded. */
export async function findTool(
  name: ToolName,
  options: Omit<ToolOptions, 'names'> = {},
): Promise<string | undefined> {
  const onPath = await (options.find ?? findProgram)(name)
  if (onPath !== undefined && (await newerMajor(name, onPath)) === undefined) return onPath
  const item = downloadOf(name, options.mirrors)
  if (!item) return undefined
  const cached = join(options.cacheDir ?? defaultCacheDir(options.env), item.cachePath)
  // Verified again and made executable: the cache may have been copied here.
  return (await isFilled(cached)) ? fetchTool(name, options) : undefined
}

/** Version of a program that is a major version ahead of the pinned one, whose flags are not those that we give. */
async function newerMajor(name: ToolName, path: string): Promise<string | undefined> {
  if (name !== 'helm') return undefined
  const { stdout } = await run([path, 'version', '--short'], { allowFailure: true, timeoutMs: 10_000 })
  const [version, major = '0'] = /v?(\d+)\.\d+\.\d+/.exec(stdout) ?? []
  return Number(major) > Number(pinned[name].version.split('.')[0]) ? version : undefined
}

async function fetchTool(name: ToolName, options: Omit<ToolOptions, 'names'>): Promise<string> {
  const item = downloadOf(name, options.mirrors)
  const platform = hostPlatform()
  if (!item || !platform) {
    throw new UserError(`${name} was not found`, {
      hint: `install ${name} and put it on the PATH`,
      exitCode: exitCodes.hostLacks,
    })
  }
  const cacheDir = options.cacheDir ?? defaultCacheDir(options.env)
  const [file] = await pullAhead([item], { cacheDir, hostPlatform: platform })
  if (file === undefined) throw new Error(`${name} was not pulled`)
  const program = await unpacked(file, pinned[name].archiveMember?.(platform))
  await makeExecutable(program)
  return program
}

/** Leaves one alone that is: a cache that several users share belongs to one of them. */
export async function makeExecutable(program: string): Promise<void> {
  await access(program, constants.X_OK).catch(() => chmod(program, 0o755))
}

/**
 * The program itself: some come in an archive, whose digest has been checked by now. It takes its place at once and whole, since
 * another process may be starting it; in a cache that cannot be written to it is what was unpacked before.
 */
export async function unpacked(file: string, member: string | undefined): Promise<string> {
  if (member === undefined) return file
  const program = join(`${file}.unpacked`, member)
  const folder = await mkdtemp(`${file}.`).catch(async (error: unknown) => {
    if (await isFilled(program)) return undefined
    throw error
  })
  if (folder === undefined) return program
  try {
    await run(['tar', '-xzf', file, '-C', folder, member], { timeoutMs: 60_000 })
    await mkdir(dirname(program), { recursive: true })
    await rename(join(folder, member), program)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return program
}

function downloadOf(name: ToolName, mirrors: Mirrors = {}): PullItem | undefined {
  const platform = hostPlatform()
  if (!platform || pinned[name].sha256[platform] === undefined) return undefined
  return toolItem(pinned[name], platform, name, mirrors)
}
