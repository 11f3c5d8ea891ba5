/** Finds programs that a user may have, and tells which one it was: a figure without a version and a hash is nobody's. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { findProgram, run } from '../../harness/process/exec.js'
import type { Fact, Platform, ResolvedConfig, Unmet } from '../../harness/model.js'

/** How to find a program and how to get it. */
export interface BinaryNeed {
  readonly name: string
  /** Environment variable that names it, before the PATH is searched. */
  readonly variable: string
  /** Folders outside many users' PATH where packages put it. */
  readonly folders?: readonly string[]
  readonly versionArgs: readonly string[]
  /** Takes the version out of the program's answer. */
  readonly version: RegExp
  /** What to do when it is missing. */
  readonly remedy: string
  /** It starts another program, so that no image can be made of its file and what that loads: containers need one by digest. */
  readonly script?: true
}

/** Path of a program, or what is missing. A variable that names something unusable is an error, not a reason to search on. */
export async function locateBinary(
  need: BinaryNeed,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | Unmet> {
  const named = environment[need.variable]
  if (named) {
    const path = await findProgram(named)
    return (
      path ?? {
        need: `${need.name}, named by ${need.variable}`,
        found: `${named} is not a program that can be run`,
        remedy: `set ${need.variable} to the path of an executable, or unset it`,
      }
    )
  }
  for (const candidate of [need.name, ...(need.folders ?? []).map((folder) => `${folder}/${need.name}`)]) {
    const path = await findProgram(candidate)
    if (path) return path
  }
  return {
    need: need.name,
    found: `neither ${need.variable} nor a program on the PATH`,
    remedy: need.remedy,
  }
}

/** Unmet needs of a program: none when it is there and tells its version. */
export async function checkBinary(need: BinaryNeed): Promise<readonly Unmet[]> {
  const found = await locateBinary(need)
  if (typeof found !== 'string') return [found]
  try {
    await readVersion(need, found)
    return []
  } catch (error) {
    return [
      {
        need: `${need.name} that runs here`,
        found: `${found}: ${error instanceof Error ? error.message : String(error)}`,
        remedy: need.remedy,
      },
    ]
  }
}

/** Where a program comes from, and what the report says of it. */
export interface ProgramSource {
  readonly name: string
  /** Its file on this machine, or its name where the platform has an image of it. */
  readonly argv0: string
  readonly fact: Fact
}

/** Unmet needs of a program: none when the platform's settings name an image of it, or this machine has it and can bring it there. */
export async function checkProgram(
  need: BinaryNeed,
  config: ResolvedConfig,
  { builds, offers }: Pick<Platform, 'offers'> & Partial<Pick<Platform, 'builds'>>,
): Promise<readonly Unmet[]> {
  if (programImage(need.name, config) !== undefined) return []
  const isBrought = !offers.includes('cluster') || offers.includes('new-cluster')
  if (builds !== 'image' || (isBrought && !need.script)) return checkBinary(need)
  const { platform } = config
  return [
    {
      need: `an image of ${need.name} on ${platform}`,
      found: isBrought
        ? 'none is named, and of a program that another one runs none can be assembled'
        : 'none is named, and to the nodes of a cluster that was there none can be brought',
      remedy: `name one by digest: platformSettings.${platform}.programImages.${need.name}; or measure it on local`,
    },
  ]
}

/** Finds a program. Throws when `checkProgram` would have told a need. */
export async function findProgramSource(need: BinaryNeed, config: ResolvedConfig): Promise<ProgramSource> {
  const { name } = need
  const image = programImage(name, config)
  if (image !== undefined)
    return { name, argv0: name, fact: { name: `${name} image`, value: image, program: true } }
  const path = await locateBinary(need)
  if (typeof path !== 'string') throw new Error(`${path.need}: ${path.found}; ${path.remedy}`)
  const [version, sha256] = await Promise.all([readVersion(need, path), hashOnce(path)])
  return {
    ...{ name, argv0: path },
    fact: { name: `${name} binary`, value: `${version}, sha256 ${sha256}`, program: true },
  }
}

/** The image of a program that the settings of the run's platform name; the platform's own schema checks them. */
export function programImage(name: string, config: ResolvedConfig): string | undefined {
  const settings = config.platformSettings[config.platform] as
    { programImages?: Readonly<Record<string, string>> } | undefined
  return settings?.programImages?.[name]
}

const hashes = new Map<string, Promise<string>>()

/** Programs of several meshes are the same, and large. */
function hashOnce(path: string): Promise<string> {
  const hash = hashes.get(path) ?? hashFile(path)
  hashes.set(path, hash)
  return hash
}

async function readVersion(need: BinaryNeed, path: string): Promise<string> {
  // nginx tells its version on standard error.
  const { stdout, stderr } = await run([path, ...need.versionArgs], { timeoutMs: 10_000 })
  const version = need.version.exec(stdout + stderr)?.[1]
  if (version === undefined) throw new Error(`no version in what ${need.versionArgs.join(' ')} answers`)
  return version
}

/** SHA-256 of a file, in hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
