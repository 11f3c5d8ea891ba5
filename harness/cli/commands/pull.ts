/** `meshbench pull`: lists what a run downloads, or downloads it ahead, for hosts without a network. */
import { UserError, exitCodes, type ExitCode } from '../../model/errors.js'
import { findProgram } from '../../process/exec.js'
import type { ResolvedConfig } from '../../model.js'
import {
  defaultCacheDir,
  listPulls,
  pullAhead,
  renderPulls,
  type Mirrors,
} from '../../../infra/supply/pull.js'
import { hostCgroup } from '../../../infra/platforms/kind/preflight.js'
import { hostPlatform, requireTools } from '../../../infra/platforms/kind/tools.js'
import type { PlanFlags } from '../../config/flags.js'
import { planFromFlags } from './common.js'

export async function pullCommand(flags: PlanFlags & { list: boolean }): Promise<ExitCode> {
  const { config, arms } = await planFromFlags(flags)
  const host = hostPlatform()
  if (host === undefined) {
    throw new UserError(`nothing is published for ${process.platform}/${process.arch}`, {
      hint: 'pull on Linux (x64, arm64) or macOS (arm64)',
    })
  }
  const items = listPulls({
    platform: config.platform,
    meshes: [...new Set(arms.map(({ mesh }) => mesh))],
    hostPlatform: host,
    cgroup: hostCgroup(),
    ...configuredIn(config),
  })
  if (flags.list) {
    process.stdout.write(renderPulls(items))
    return exitCodes.ok
  }
  const engine = (await findProgram('docker')) ?? (await findProgram('podman'))
  if (engine === undefined && items.some(({ kind }) => kind === 'image')) {
    throw new UserError('images are pulled with docker or podman, and neither is on the PATH', {
      hint: 'install one; --list only lists',
      exitCode: exitCodes.hostLacks,
    })
  }
  const cacheDir = defaultCacheDir()
  const { mirrors } = configuredIn(config)
  // On the PATH, or among the very items that are pulled.
  const { helm } = items.some(({ kind }) => kind === 'chart')
    ? await requireTools({ names: ['helm'], cacheDir, mirrors })
    : {}
  await pullAhead(items, {
    cacheDir,
    hostPlatform: host,
    ...(engine === undefined ? {} : { engine }),
    ...(helm === undefined ? {} : { helm }),
    note: (text) => process.stdout.write(`${text}\n`),
  })
  process.stdout.write(
    `${items.length} items are in ${cacheDir}: copy it to the same place on the other host, or name it there in MESHBENCH_CACHE\n`,
  )
  return exitCodes.ok
}

/** Mirrors of the platform and of every mesh that is measured, and images that the config names. */
function configuredIn(config: ResolvedConfig) {
  const platform = (config.platformSettings[config.platform] ?? {}) as {
    mirrors?: Mirrors
    nodeImage?: string
    baseImage?: string
    generatorImage?: string
    programImages?: Readonly<Record<string, string>>
  }
  const meshes = Object.keys(config.arms).map(
    (mesh) => (config.meshSettings[mesh] as { mirrors?: Mirrors } | undefined)?.mirrors ?? {},
  )
  const { nodeImage, baseImage, generatorImage, programImages = {} } = platform
  return {
    mirrors: Object.assign({}, platform.mirrors, ...meshes) as Mirrors,
    configuredImages: [baseImage, generatorImage, ...Object.values(programImages)].filter(
      (image) => image !== undefined,
    ),
    ...(nodeImage === undefined ? {} : { nodeImage }),
  }
}
