/** Creates an environment on kind, step by step: programs, images, a cluster, images on its nodes, a way to its API server. */
import { defined } from '../../../harness/model/defined.js'
import { UserError, exitCodes } from '../../../harness/model/errors.js'
import { findProgram } from '../../../harness/process/exec.js'
import type {
  ClusterNeeds,
  EnvironmentRequest,
  Fact,
  Host,
  OwnProgram,
  ProgramBuild,
  Progress,
  Scope,
} from '../../../harness/model.js'
import { version } from '../../../harness/process/package-root.js'
import { clusterNeeds, clusterTools } from '../../meshes/declared.js'
import {
  buildImages,
  provideOwnImage,
  provideProgramImage,
  taggedReference,
  type ContainerImages,
  type ImageEngine,
} from '../../supply/container-images/build.js'
import { requireTools } from '../../supply/tools.js'
import { Kubectl, reasonOf } from '../cluster/api/kubectl.js'
import type { KubeHostOptions } from '../cluster/host-options.js'
import { createKubeHost, watchCluster } from '../cluster/host.js'
import { findEngine, isMissing, type Engine } from '../docker/engine.js'
import { clampLimits, generatorFacts, generatorNeeds, platformSettings } from '../kit/settings.js'
import { clusterName } from './clean.js'
import { nodeNames, renderClusterConfig, restartsQuickly } from './cluster-config.js'
import { createCluster, loadArchive, loadImages, saveImages, watchNodes } from './cluster.js'
import { emptyCluster, findKept, hasNetwork, missingImages, type KeptCluster } from './kept.js'
import { provideNodeImage } from './node-image.js'
import { nodeShells, type NodeShell } from './node-shell.js'
import { kindSettings, type KindSettings } from './settings.js'

interface Site {
  readonly request: EnvironmentRequest
  readonly scope: Scope
  readonly progress: Progress
  readonly settings: KindSettings
  readonly engine: Engine
  readonly dockerCli: string
  readonly onNode: NodeShell
  readonly kind: string
  readonly kubectl: string
  readonly helm?: string
}

/** This repository's images and those of variants, under the names that the nodes will know. */
interface OwnImages {
  readonly images: ContainerImages
  readonly references: KubeHostOptions['images']
  readonly loadedAs: ReadonlyMap<string, string>
}

interface Cluster {
  readonly name: string
  readonly nodes: KubeHostOptions['nodes']
  readonly kubectl: Kubectl
  /** One that was there: it has images already, and stays. */
  readonly isKept: boolean
}

export async function createKind(
  request: EnvironmentRequest,
  scope: Scope,
  progress: Progress,
): Promise<Host> {
  const site = await findSite(request, scope, progress)
  const nodeImage = await progress.step('image of the nodes', () => provideNodes(site))
  const own = await progress.step('container images', () => buildOwnImages(site))
  scope.signal.throwIfAborted()
  const needs = clusterNeeds(request)
  const kept = await findKeptCluster(site, nodeImage, needs)
  // A cluster that comes up waits most of the time.
  const archive = kept ? undefined : archiveImages(site, own)
  const cluster = kept ? clusterAt(site, kept, true) : await newCluster(site, nodeImage, needs)
  if (kept) await progress.step('an empty cluster', () => emptyCluster(cluster.kubectl))
  await progress.step('images in the cluster', () => loadOnto(site, cluster, namesOf(own), archive))
  if (needs.defaultCni) await progress.step('nodes ready', () => awaitNodes(cluster.kubectl))
  await placeUnpinned(cluster.kubectl)
  return hostOn(site, cluster, own, nodeImage)
}

async function findSite(request: EnvironmentRequest, scope: Scope, progress: Progress): Promise<Site> {
  const settings = platformSettings(kindSettings, request)
  const engine = await findEngine()
  const dockerCli = await findProgram('docker')
  if (isMissing(engine) || dockerCli === undefined) {
    throw new UserError('no Docker engine answers, or the docker command is missing', {
      hint: 'meshbench doctor --platform kind says what is missing',
      exitCode: exitCodes.hostLacks,
    })
  }
  const names = ['kind', ...clusterTools(request)] as const
  const {
    kind = 'kind',
    kubectl = 'kubectl',
    helm,
  } = await requireTools({ names, mirrors: settings.mirrors })
  const onNode = nodeShells(engine.docker, scope)
  return {
    request,
    scope,
    progress,
    settings,
    engine,
    dockerCli,
    onNode,
    kind,
    kubectl,
    ...defined({ helm }),
  }
}

const sourceOf = ({ engine: { docker }, scope: { signal } }: Site): ImageEngine => ({ docker, signal })

function provideNodes({ settings, engine, dockerCli, scope }: Site): Promise<string> {
  const { nodeImage, mirrors } = settings
  const { docker, cgroup } = engine
  return provideNodeImage({ cgroup, nodeImage, mirrors }, { docker, dockerCli, scope })
}

async function buildOwnImages(site: Site): Promise<OwnImages> {
  const { request, settings } = site
  const { docker } = site.engine
  const source = sourceOf(site)
  const images = await buildImages(source, {
    version,
    ...defined({ baseImage: settings.baseImage }),
    ...generatorNeeds(request, settings),
  })
  const { echo, tunnel, proxy, loadgen } = images.images
  const loadedAs = new Map<string, string>()
  const builds = (request.config.variants ?? []).flatMap(
    (variant) => Object.entries(variant.builds) as [OwnProgram, ProgramBuild][],
  )
  await Promise.all(
    builds.map(async ([image, build]) => {
      const reference = await provideOwnImage(source, { kind: 'image', image, build }, images)
      const name = 'reference' in build ? build.reference : reference
      loadedAs.set(name, await taggedReference(docker, reference))
    }),
  )
  return {
    images,
    references: {
      ...{ echo, tunnel, proxy },
      loadgen: await taggedReference(docker, loadgen),
    },
    loadedAs,
  }
}

const namesOf = ({ references, loadedAs }: OwnImages) => [...Object.values(references), ...loadedAs.values()]

/** With blocks, a run that keeps its clusters finds them again itself. */
async function findKeptCluster(
  site: Site,
  nodeImage: string,
  needs: ClusterNeeds,
): Promise<KeptCluster | undefined> {
  const { request, settings, engine, kind, scope, progress } = site
  const { reuse, keep, workers } = settings
  if (!reuse && !keep) return undefined
  const wanted = { docker: engine.docker, kind, environment: request.id, nodeImage, workers, scope }
  const fits = (found: KeptCluster) => hasNetwork(clusterAt(site, found, true).kubectl, needs)
  const kept = await findKept({ ...wanted, ownOnly: !reuse, fits })
  if (reuse) progress.note(kept ? `the cluster ${kept.name} is used again` : 'no kept cluster fits')
  return kept
}

function archiveImages({ dockerCli, scope }: Site, own: OwnImages): Promise<string> {
  const archive = saveImages({ docker: dockerCli, references: namesOf(own), scope })
  // From the start: one that fails while the cluster comes up is told of when it is needed.
  const finished = archive.then(
    () => {},
    () => {},
  )
  scope.defer('finish the archive of images', () => finished)
  return archive
}

async function newCluster(site: Site, nodeImage: string, needs: ClusterNeeds): Promise<Cluster> {
  const { kind, request, scope, progress, engine } = site
  const { keep, createTimeoutSeconds, workers } = site.settings
  const name = clusterName(scope.runId, request.id)
  const kubeconfig = await progress.step(`cluster of ${1 + workers} nodes`, () =>
    createCluster({
      kind,
      docker: engine.docker,
      name,
      config: renderClusterConfig({ name, nodeImage, workers, cgroup: engine.cgroup, needs }),
      timeoutMs: createTimeoutSeconds * 1000,
      keep,
      scope,
    }),
  )
  if (keep) progress.note(`the cluster ${name} stays: --reuse finds it, \`meshbench clean\` removes it`)
  return clusterAt(site, { name, kubeconfig }, false)
}

function clusterAt(site: Site, { name, kubeconfig }: KeptCluster, isKept: boolean): Cluster {
  const { scope, settings, kubectl: path, helm: helmPath } = site
  const { runId, signal } = scope
  const kubectl = new Kubectl({ path, kubeconfig, runId, signal, ...defined({ helmPath }) })
  return { name, nodes: nodeNames(name, settings.workers), kubectl, isKept }
}

async function loadOnto(
  site: Site,
  { name, nodes, isKept }: Cluster,
  references: readonly string[],
  written?: Promise<string>,
): Promise<void> {
  const { kind, dockerCli, scope } = site
  const workers = [...new Set([nodes.client, nodes.server, nodes.waypoint])]
  const missing = isKept ? await missingImages(site.onNode, workers, references) : references
  if (missing.length === 0) return
  const images = { references: missing, nodes: workers, ...defined({ archive: written }) }
  await loadImages({ kind, docker: dockerCli, name, scope, ...images })
}

/** Not by `kind create cluster --wait`: that waits for the control plane alone, and gives up with exit code 0. */
async function awaitNodes(kubectl: Kubectl): Promise<void> {
  const wait = ['wait', 'node', '--all', '--for=condition=Ready']
  try {
    await kubectl.run([...wait, '--timeout=180s'], { timeoutMs: 200_000 })
  } catch (error) {
    throw new UserError(`not every node of the cluster became ready: ${reasonOf(error)}`, {
      hint: 'meshbench doctor --platform kind checks memory and inotify limits, the usual causes',
      exitCode: exitCodes.runFailed,
      cause: error,
    })
  }
}

/** What is pinned nowhere (DNS, a mesh's control plane) goes to the control plane: the workers are for what is measured. */
export async function placeUnpinned(kubectl: Pick<Kubectl, 'run'>): Promise<void> {
  const keys = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']
  // The key depends on the version; one of the two is not there.
  const ignoreMissing = (error: unknown) => {
    if (!/taint .* not found/.test(reasonOf(error))) throw error
  }
  await Promise.all(
    keys.map((key) => kubectl.run(['taint', 'nodes', '--all', `${key}-`]).catch(ignoreMissing)),
  )
}

/** Images of programs of others, brought onto the nodes when a hop first asks for one. */
function programImages(site: Site, cluster: Cluster): KubeHostOptions['programImage'] {
  const loaded = new Map<string, Promise<string>>()
  const { docker } = site.engine
  const load: KubeHostOptions['programImage'] = async (program) => {
    const image = await provideProgramImage(sourceOf(site), program, site.settings.programImages)
    const reference = await taggedReference(docker, image)
    await loadOnto(site, cluster, [reference])
    return reference
  }
  return (program) => {
    const loading = loaded.get(program.name) ?? load(program)
    loaded.set(program.name, loading)
    return loading
  }
}

async function hostOn(site: Site, cluster: Cluster, own: OwnImages, nodeImage: string): Promise<Host> {
  const { request, scope, settings, engine, kind } = site
  const { name, nodes, kubectl, isKept } = cluster
  const watched = await watchCluster(kubectl, scope)
  const { kubernetesVersion } = watched
  return createKubeHost({
    ...{ kubectl, request, scope, nodes, ...watched },
    own: {
      ...{ name, onNode: site.onNode, loadedAs: own.loadedAs },
      nodeFailure: watchNodes(engine.docker, Object.values(nodes), scope),
      loadArchive: (archive) => loadArchive({ kind, name, archive, nodes: Object.values(nodes), scope }),
      isKept: settings.keep || isKept,
    },
    images: own.references,
    programImage: programImages(site, cluster),
    limits: clampLimits(settings, engine.cpus),
    generatorPods: settings.generatorPods,
    apiServer: { host: nodes['control-plane'], port: 6443 },
    facts: factsOf(site, { cluster: name, base: own.images.base, kubernetesVersion, nodeImage }),
  })
}

function factsOf(
  { engine, settings }: Site,
  found: Readonly<Record<'cluster' | 'base' | 'kubernetesVersion' | 'nodeImage', string>>,
): readonly Fact[] {
  const { hop, workers, generatorPods } = settings
  return [
    {
      name: 'platform',
      value: `kind: Kubernetes ${found.kubernetesVersion}, a control plane and ${workers} workers on one machine`,
    },
    { name: 'cluster', value: found.cluster },
    { name: 'node image', value: found.nodeImage },
    {
      name: 'restarts',
      value: restartsQuickly(found.nodeImage)
        ? 'what has ended its kubelet starts again, a second later at most'
        : 'what has ended its kubelet starts again, later each time (10 s to 5 min)',
    },
    { name: 'engine', value: `${engine.product} ${engine.version}, cgroup ${engine.cgroup}` },
    { name: 'base image', value: found.base },
    { name: 'limits of each hop', value: `${Math.min(hop.cpus, engine.cpus)} CPUs, ${hop.memoryMib} MiB` },
    ...generatorFacts(generatorPods),
    { name: 'memory figures', value: 'working set of the cgroup: usage less inactive file pages' },
  ]
}
