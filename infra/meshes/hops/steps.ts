/** The visible steps of an installation: each is one command, one wait or one check, and fails with what to do. */
import { join } from 'node:path'
import type { ChartPin, Downloads, ManifestPin, Progress, Scope } from '../../../harness/model.js'
import {
  chartArguments,
  defaultCacheDir,
  inCache,
  listPulls,
  pullAhead,
  type Mirrors,
  type PullItem,
} from '../../supply/pull.js'
import { unknownDigest } from '../../supply/versions.js'
import type { AccessOptions, ClusterAccess, ClusterCommands } from '../../../harness/model/cluster-access.js'
import { explainFailure, MeshInstallError, unlessHopeless } from '../clusters/install-errors.js'
import { toYaml, type Manifest } from './yaml.js'

/** Where charts, manifests and images come from: files that were pulled ahead, or the network. */
export interface Assets {
  /** Arguments that name the chart to helm. */
  chart(chart: ChartPin): Promise<readonly string[]>
  /** Path that kubectl applies. */
  manifest(manifest: ManifestPin): Promise<string>
  /** Archives of all images; none where one is missing, since they are named otherwise than a mirror's. */
  archives(): Promise<readonly string[]>
}

/**
 * Files below the cache folder. What is not there and has a digest is fetched into it and checked, since neither helm nor kubectl
 * would compare it; a chart without one helm fetches itself, from the network or its mirror.
 */
export function assetsFrom(
  { images = [] }: Downloads,
  where: { readonly cacheDir?: string | undefined; readonly mirrors?: Mirrors },
  { helm }: Pick<ClusterCommands, 'helm'>,
): Assets {
  const { cacheDir = defaultCacheDir(), mirrors = {} } = where
  const itemOf = (needed: Downloads) => {
    const [item] = listPulls([{ neededBy: '', ...needed }], { mirrors })
    if (!item) throw new Error('nothing is listed')
    return item
  }
  const run = async ([, ...args]: readonly string[], options?: AccessOptions) => ({
    ...{ code: 0, stdout: await helm(args, options), stderr: '' },
  })
  const fileOf = async (item: PullItem) => {
    const there = await inCache(item, cacheDir)
    if (there !== undefined) return there
    // Neither charts nor manifests differ from one platform to another.
    await pullAhead([item], { cacheDir, hostPlatform: 'linux/amd64', run })
    return join(cacheDir, item.cachePath)
  }
  return {
    async chart(chart) {
      const item = itemOf({ charts: [chart] })
      if (item.digest === unknownDigest && (await inCache(item, cacheDir)) === undefined)
        return chartArguments(item)
      return [await fileOf(item)]
    },
    manifest: (manifest) => fileOf(itemOf({ manifests: [manifest] })),
    async archives() {
      const items = listPulls([{ neededBy: '', images }])
      const files = await Promise.all(items.map((item) => inCache(item, cacheDir)))
      return files.every((file) => file !== undefined) ? files : []
    },
  }
}

export interface InstallContext {
  readonly mesh: string
  readonly cluster: ClusterAccess
  readonly assets: Assets
  /**
   * Says how to take back what is about to be done, last first. A cluster of the run's own takes everything with it; one that
   * is kept keeps its mesh, which the next run lays over it again, and loses what that run would not ask for.
   */
  readonly undo: (
    title: string,
    work: () => Promise<unknown>,
    options?: { readonly evenIfKept?: boolean },
  ) => void
}

/** For the commands that take something back: the run may have been interrupted. */
export const undoing = { pastAbort: true, timeoutMs: 55_000 }

export interface Step {
  readonly title: string
  run(context: InstallContext): Promise<void>
}

/** Runs steps one after another. The first that fails ends it, as an error that names the step and what to do. */
export async function runSteps(
  steps: readonly Step[],
  {
    namespaces,
    ...context
  }: Omit<InstallContext, 'undo'> & {
    /** Where the mesh's own pods are: one of them that will not come up ends a step at once. */
    readonly namespaces: readonly string[]
  },
  progress: Progress,
  scope: Pick<Scope, 'defer' | 'signal'>,
): Promise<void> {
  const { signal } = scope
  const { isOwn, isKept } = context.cluster
  const undo: InstallContext['undo'] = (title, work, { evenIfKept = false } = {}) => {
    if (!isOwn || (isKept && evenIfKept)) scope.defer(title, async () => void (await work()))
  }
  for (const step of steps) {
    signal.throwIfAborted()
    await progress.step(step.title, async () => {
      try {
        await unlessHopeless(context.cluster, namespaces, (cluster) =>
          step.run({ ...context, cluster, undo }),
        )
      } catch (error) {
        signal.throwIfAborted()
        throw await explainFailure({ step: step.title, mesh: context.mesh, cluster: context.cluster, error })
      }
    })
  }
}

/** Helm's own limit for a release to become ready; the command gets a little longer, so that helm speaks first. */
const helmTimeoutMs = 5 * 60_000

export interface HelmRelease {
  readonly release: string
  readonly chart: ChartPin
  readonly namespace: string
  readonly values: object
  /** Cilium brings the network itself: before it, nothing can become ready, so waiting is a step of its own. */
  readonly wait?: boolean
}

/** `helm upgrade --install`: the same command creates a release and repeats it. */
export function helmStep({ release, chart, namespace, values, wait = true }: HelmRelease): Step {
  return {
    title: `${release} ${chart.version}`,
    async run({ cluster, assets, undo }) {
      // Before it is installed: what a failed attempt leaves must go, too.
      undo(`uninstall ${release}`, () => uninstall(cluster, release, namespace))
      if (cluster.isKept) await unlock(cluster, release, namespace)
      const args = [
        'upgrade',
        '--install',
        release,
        ...(await assets.chart(chart)),
        '--namespace',
        namespace,
        '--create-namespace',
        ...(wait ? ['--wait', '--timeout', `${helmTimeoutMs / 1000}s`] : []),
        // Else no values at all would be those of the last time, on a cluster that was kept.
        '--reset-values',
        '--values',
        '-',
      ]
      await cluster.helm(args, { input: toYaml([values]), timeoutMs: helmTimeoutMs + 30_000 })
    },
  }
}

/** One that is not there is as good as uninstalled. */
export async function uninstall(
  cluster: Pick<ClusterCommands, 'helm'>,
  release: string,
  namespace: string,
): Promise<void> {
  await cluster.helm(['uninstall', release, '--namespace', namespace, '--ignore-not-found'], undoing)
}

/**
 * Helm keeps what it does in Secrets, and refuses to do more while it is not through: a run that was interrupted has left it so
 * on a cluster that stays, which nobody but this run uses now.
 */
async function unlock(cluster: ClusterAccess, release: string, namespace: string): Promise<void> {
  const selector = `owner=helm,name=${release},status in (pending-install,pending-upgrade,pending-rollback)`
  await cluster.kubectl(['delete', 'secrets', '-n', namespace, '-l', selector])
}

/** Applies manifests; what is there already and equal stays as it is. */
export async function applyManifests(cluster: ClusterAccess, manifests: readonly Manifest[]): Promise<void> {
  if (manifests.length === 0) return
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], { input: toYaml(manifests) })
}

/** Applies a file as kubectl takes it. On a cluster that is somebody's, what is made says whose it is from its first moment on. */
export async function applyFile(cluster: ClusterAccess, file: string): Promise<void> {
  if (cluster.isOwn) return void (await cluster.kubectl(['apply', '--server-side', '-f', file]))
  const labels = Object.entries(cluster.marks).map(([name, value]) => `${name}=${value}`)
  // Not as YAML: kubectl prints documents of it without what stands between them, and the last alone would be applied.
  const input = await cluster.kubectl(['label', '--local', '-f', file, ...labels, '-o', 'json'])
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], { input })
}

const waitTimeoutMs = 3 * 60_000

/** Waits with `kubectl wait` or `kubectl rollout status`. */
export function waitStep(title: string, args: readonly string[]): Step {
  return {
    title,
    async run({ cluster }) {
      const wait = [...args, `--timeout=${waitTimeoutMs / 1000}s`]
      await cluster.kubectl(wait, { timeoutMs: waitTimeoutMs + 15_000 })
    },
  }
}

/** Waits until all pods of a controller, for example `deployment/istiod`, are ready. */
export async function waitForRollout(
  { kubectl }: Pick<ClusterCommands, 'kubectl'>,
  what: string,
  namespace: string,
  timeoutMs: number,
): Promise<void> {
  const rollout = ['rollout', 'status', what, '-n', namespace, `--timeout=${timeoutMs / 1000}s`]
  await kubectl(rollout, { timeoutMs: timeoutMs + 15_000 })
}

/** Refuses a cluster that is older than the mesh supports: its API server would do so with a riddle. */
export function kubernetesStep(product: string, minMinor: number): Step {
  return {
    title: `Kubernetes 1.${minMinor} or newer`,
    async run({ mesh, cluster }) {
      const [major = 0, minor = 0] = cluster.kubernetesVersion.split('.').map(Number)
      // An API server that was built from source may not know its version; then only trying tells.
      if (major !== 1 || minor === 0 || minor >= minMinor) return
      throw new MeshInstallError(
        `${mesh}: ${product} needs Kubernetes 1.${minMinor} or newer, and this cluster is ${cluster.kubernetesVersion}`,
        {
          hint: 'Use a node image from infra/supply/versions.ts, or a newer cluster.',
          detail: `kubernetesVersion ${cluster.kubernetesVersion}`,
          cause: undefined,
        },
      )
    },
  }
}

/** Whether a mesh's images will have been loaded: by their original names, whatever mirror they came from. */
export async function isLoaded({
  cluster,
  assets,
}: Pick<InstallContext, 'cluster' | 'assets'>): Promise<boolean> {
  return cluster.loadArchive !== undefined && (await assets.archives()).length > 0
}

/** Loads image archives that were pulled ahead; images without one are pulled by the nodes. */
export const loadImagesStep: Step = {
  title: 'images pulled ahead',
  async run({ cluster, assets }) {
    if (!cluster.loadArchive) return
    for (const archive of await assets.archives()) await cluster.loadArchive(archive)
  },
}
