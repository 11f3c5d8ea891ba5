/** `meshbench pull`: lists what a run downloads, or downloads it ahead, for hosts without a network. */
import { UserError, exitCodes, type ExitCode } from '../../model/errors.js'
import { defined } from '../../model/defined.js'
import { findProgram } from '../../process/exec.js'
import { tryFolder } from '../../process/folders.js'
import type { ResolvedConfig } from '../../model.js'
import {
  defaultCacheDir,
  listPulls,
  pullAhead,
  renderPulls,
  type Mirrors,
} from '../../../infra/supply/pull.js'
import { hostPlatform, requireTools } from '../../../infra/supply/tools.js'
import { meshDownloads } from '../../../infra/meshes/declared.js'
import type { PlanFlags } from '../../config/flags.js'
import { planFromFlags, platformOf } from './planning.js'

export async function pullCommand(flags: PlanFlags & { list: boolean }): Promise<ExitCode> {
  const plan = await planFromFlags(flags)
  const { config } = plan
  const host = hostPlatform()
  if (host === undefined) {
    throw new UserError(`nothing is published for ${process.platform}/${process.arch}`, {
      hint: 'pull on Linux (x64, arm64) or macOS (arm64)',
    })
  }
  const ofMeshes = meshDownloads(plan)
  const ofPlatform = platformOf(plan).downloads?.(config.platformSettings[config.platform], ofMeshes) ?? []
  const mirrors = mirrorsIn(config)
  const items = listPulls([...ofPlatform, ...ofMeshes], { hostPlatform: host, mirrors })
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
  tryFolder('MESHBENCH_CACHE', cacheDir)
  // On the PATH, or among the very items that are pulled.
  const { helm } = items.some(({ kind }) => kind === 'chart')
    ? await requireTools({ names: ['helm'], cacheDir, mirrors })
    : {}
  await pullAhead(items, {
    cacheDir,
    hostPlatform: host,
    ...defined({ engine, helm }),
    note: (text) => process.stdout.write(`${text}\n`),
  })
  process.stdout.write(
    `${items.length} items are in ${cacheDir}: copy it to the same place on the other host, or name it there in MESHBENCH_CACHE\n`,
  )
  return exitCodes.ok
}

/** Mirrors of the platform and of every mesh that is measured. */
function mirrorsIn({ platform, platformSettings, arms, meshSettings }: ResolvedConfig): Mirrors {
  const all = [platformSettings[platform], ...Object.keys(arms).map((mesh) => meshSettings[mesh])]
  return Object.assign(
    {},
    ...all.map((own) => (own as { mirrors?: Mirrors } | undefined)?.mirrors),
  ) as Mirrors
}
