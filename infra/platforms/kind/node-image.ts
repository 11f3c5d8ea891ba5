/** Where the image of the nodes comes from: the engine, an archive that was pulled ahead, or its registry. */
import { join } from 'node:path'
import type Docker from 'dockerode'
import { run } from '../../../harness/process/exec.js'
import type { ImagePin, Scope, Unmet } from '../../../harness/model.js'
import {
  asPin,
  defaultCacheDir,
  isFilled,
  listPulls,
  pullAheadRemedy,
  type Mirrors,
  type PullItem,
} from '../../supply/pull.js'
import { nodeImageFor } from '../../supply/versions.js'
import { reachable, registryOf } from '../../../harness/process/reachable.js'

export interface NodeImageWish {
  readonly cgroup: 'v1' | 'v2'
  /** What the config names instead of the pinned one. */
  readonly nodeImage?: string | undefined
  readonly mirrors: Mirrors
  /** The command that fetches it ahead, with everything else that the run needs. */
  readonly pullCommand: string
}

const loadTimeoutMs = 10 * 60_000

/** The reference to create nodes from. Loads an archive that was pulled ahead when the engine has no such image. */
export async function provideNodeImage(
  wish: Omit<NodeImageWish, 'pullCommand'>,
  engine: { readonly docker: Docker; readonly dockerCli: string; readonly scope: Scope },
): Promise<string> {
  const item = itemOf(wish)
  const there = await inEngine(engine.docker, item)
  if (there !== undefined) return there
  const archive = await archiveOf(item)
  if (archive === undefined) return item.source
  engine.scope.signal.throwIfAborted()
  await run([engine.dockerCli, 'load', '--input', archive], {
    runId: engine.scope.runId,
    signal: engine.scope.signal,
    timeoutMs: loadTimeoutMs,
  })
  return item.tag ?? item.source
}

/** What is missing when the image is neither here nor to be had; `docker` is absent where no engine answers. */
export async function checkNodeImage(
  wish: NodeImageWish,
  docker: Docker | undefined,
  isReachable: (url: string) => Promise<boolean> = reachable,
): Promise<readonly Unmet[]> {
  const item = itemOf(wish)
  if (docker && (await inEngine(docker, item)) !== undefined) return []
  if ((await archiveOf(item)) !== undefined) return []
  const registry = registryOf(item.source)
  if (await isReachable(`https://${registry}/v2/`)) return []
  return [
    {
      need: `the image of the nodes, ${item.source}`,
      found: `not in the engine, not in ${defaultCacheDir()}, and ${registry} cannot be reached`,
      remedy: `name one that the engine has in platformSettings.kind.nodeImage, or ${pullAheadRemedy(wish.pullCommand)}`,
    },
  ]
}

/** What the config names, or the newest that starts on the host. */
export function nodeImagePin(configured: string | undefined, cgroup: 'v1' | 'v2'): ImagePin {
  return configured === undefined ? nodeImageFor(cgroup) : asPin(configured)
}

function itemOf({ cgroup, nodeImage, mirrors }: Omit<NodeImageWish, 'pullCommand'>): PullItem {
  const [item] = listPulls([{ neededBy: '', images: [nodeImagePin(nodeImage, cgroup)] }], { mirrors })
  if (!item) throw new Error('no image of nodes is listed')
  return item
}

/** The name under which the engine knows the image: with the digest, when it was pulled, or by its tag alone. */
async function inEngine(docker: Docker, item: PullItem): Promise<string | undefined> {
  for (const reference of [item.source, item.tag ?? item.source]) {
    const found = await docker
      .getImage(reference)
      .inspect()
      .then(
        () => true,
        () => false,
      )
    if (found) return reference
  }
  return undefined
}

async function archiveOf(item: PullItem): Promise<string | undefined> {
  const file = join(defaultCacheDir(), item.cachePath)
  return (await isFilled(file)) ? file : undefined
}
