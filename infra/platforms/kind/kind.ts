/**
 * A Kubernetes cluster of its own for each mesh, in containers of one engine: client, server and waypoint each have a
 * worker, all of which share this machine's kernel and CPUs.
 */
import { join } from 'node:path'
import { UserError, exitCodes } from '../../../harness/model/errors.js'
import { findProgram } from '../../../harness/process/exec.js'
import type {
  EnvironmentRequest,
  Fact,
  Host,
  OwnProgram,
  Platform,
  ProgramBuild,
  Progress,
  Scope,
  Unmet,
} from '../../../harness/model.js'
import { version } from '../../../harness/process/package-root.js'
import { readHost } from '../../../harness/process/probes/host.js'
import {
  buildImages,
  provideOwnImage,
  provideProgramImage,
  taggedReference,
  type ContainerImages,
} from '../../supply/container-images/build.js'
import { startApiProxy, type ApiProxy } from '../cluster/api/api-proxy.js'
import { createKubeHost } from '../cluster/host.js'
import { Kubectl, reasonOf } from '../cluster/api/kubectl.js'
import { usageFromNodes } from '../cluster/usage/node-cgroups.js'
import { PodWatch } from '../cluster/api/pods.js'
import { plainCluster, type ClusterNeeds } from '../../meshes/clusters/cluster-access.js'
import { needsCharts, pullCommandFor } from '../../supply/pull.js'
import { findEngine, isMissing, type Engine } from '../docker/engine.js'
import { execInContainer } from '../docker/exec.js'
import { clampLimits } from '../docker/settings.js'
import { checkGeneratorPods, generatorFacts } from '../kit/generator-pods.js'
import { generatorNeeds } from '../kit/image-settings.js'
import { clusterName } from './clean.js'
import { nodeNames, renderClusterConfig } from './cluster-config.js'
import { createCluster, loadArchive, loadImages, saveImages, watchNodes } from './cluster.js'
import { emptyCluster, findKept, missingImages } from './kept.js'
import { checkNodeImage, provideNodeImage, type NodeImageWish } from './node-image.js'
import { checkHostFacts, readHostFacts } from './preflight.js'
import { kindSettings, type KindSettings } from './settings.js'
import { checkTools, clusterTools, requireTools } from './tools.js'

export const kind: Platform = {
  name: 'kind',
  summary: 'a Kubernetes cluster in containers, one for each mesh; needs Docker, kind and kubectl',
  offers: ['own-hops', 'cluster', 'new-cluster'],
  environments: 'per-mesh',
  builds: 'image',
  times: { environmentMs: 65_000, armMs: 5_000, hopMs: 4_000, trialMs: 770 },
  armsAtOnce: 4,
  check: checkKind,
  create,
}

function subjectMeshes(request: EnvironmentRequest): readonly string[] {
  return [...new Set(request.arms.filter(({ role }) => role === 'subject').map(({ mesh }) => mesh))]
}

/** Cilium is the CNI and replaces kube-proxy; everything else runs on kind's own. */
export function clusterNeeds(request: EnvironmentRequest): ClusterNeeds {
  const isCilium = request.arms.some(({ mesh }) => mesh.startsWith('cilium'))
  return isCilium ? { defaultCni: false, kubeProxy: false } : plainCluster
}

function wishOf({ nodeImage, mirrors }: KindSettings, cgroup: 'v1' | 'v2'): NodeImageWish {
  return { cgroup, mirrors, ...(nodeImage === undefined ? {} : { nodeImage }) }
}

function cgroupOf({ cgroupVersion }: Engine): 'v1' | 'v2' {
  return cgroupVersion === '1' ? 'v1' : 'v2'
}

async function checkKind(request: EnvironmentRequest): Promise<readonly Unmet[]> {
  const settings = kindSettings(request)
  const pullCommand = pullCommandFor(subjectMeshes(request).filter(needsCharts))
  const [engine, dockerCli, tools, facts] = await Promise.all([
    findEngine(),
    findProgram('docker'),
    checkTools({ names: ['kind', ...clusterTools(request)], mirrors: settings.mirrors, pullCommand }),
    readHostFacts(),
  ])
  const unmet: Unmet[] = []
  if (isMissing(engine)) {
    unmet.push({
      need: 'a Docker engine that can run privileged containers',
      found: engine.tried.map(({ address, problem }) => `${address}: ${problem}`).join('; '),
      remedy: 'start Docker, or name the engine in DOCKER_HOST; --platform local needs none',
    })
  }
  if (dockerCli === undefined) {
    unmet.push({
      need: 'the docker command, which kind runs',
      found: 'not on the PATH',
      remedy: 'install the Docker CLI (the package docker-ce-cli or docker.io)',
    })
  }
  unmet.push(...tools, ...checkGeneratorPods(request, settings.generatorPods))
  const cgroup = isMissing(engine) ? facts.cgroup : cgroupOf(engine)
  unmet.push(
    ...(await checkNodeImage(
      { ...wishOf(settings, cgroup), pullCommand },
      isMissing(engine) ? undefined : engine.docker,
    )),
  )
  if (process.platform === 'linux' && settings.baseImage === undefined && !(await findProgram('ldd'))) {
    unmet.push({
      need: 'ldd, to assemble a base image from the running node',
      found: 'not on the PATH',
      remedy: 'install it, or name a base image by digest in platformSettings.kind.baseImage',
    })
  }
  const hops = request.arms.reduce(
    (sum, arm) => sum + 2 + (request.paths.find(({ name }) => name === arm.path)?.hops.length ?? 0),
    0,
  )
  unmet.push(...checkHostFacts(facts, { nodes: 1 + settings.workers, pods: hops }))
  return unmet
}

async function create(request: EnvironmentRequest, scope: Scope, progress: Progress): Promise<Host> {
  const settings = kindSettings(request)
  const engine = await findEngine()
  const dockerCli = await findProgram('docker')
  if (isMissing(engine) || dockerCli === undefined) {
    throw new UserError('no Docker engine answers, or the docker command is missing', {
      hint: 'meshbench doctor --platform kind says what is missing',
      exitCode: exitCodes.hostLacks,
    })
  }
  const { mirrors } = settings
  const tools = await requireTools({ names: ['kind', ...clusterTools(request)], mirrors })
  const { kind: kindPath = 'kind', kubectl: kubectlPath = 'kubectl', helm } = tools
  const cgroup = cgroupOf(engine)
  const nodeImage = await progress.step('image of the nodes', () =>
    provideNodeImage(wishOf(settings, cgroup), { docker: engine.docker, dockerCli, scope }),
  )
  const needs = clusterNeeds(request)
  const { workers } = settings
  const nodeExec = async (node: string, argv: readonly string[]) => execInContainer(engine.docker, node, argv)

  const images = await progress.step('container images', () =>
    buildImages(engine.docker, {
      version,
      ...(settings.baseImage === undefined ? {} : { baseImage: settings.baseImage }),
      ...generatorNeeds(request, settings),
    }),
  )
  scope.signal.throwIfAborted()
  const loadgen = await taggedReference(engine.docker, images.images.loadgen.reference)
  const references = { ...referencesOf(images), loadgen }
  /** What images of variants are called on the nodes. */
  const loadedAs = new Map<string, string>()
  await Promise.all(
    (request.config.variants ?? []).flatMap(({ builds }) =>
      (Object.entries(builds) as [OwnProgram, ProgramBuild][]).map(async ([image, build]) => {
        const reference = await provideOwnImage(engine.docker, { kind: 'image', image, build }, images)
        const name = 'reference' in build ? build.reference : reference
        loadedAs.set(name, await taggedReference(engine.docker, reference))
      }),
    ),
  )
  // With blocks, a run that keeps its clusters finds them again itself.
  const kept =
    settings.reuse || settings.keep
      ? await findKept({
          docker: engine.docker,
          kind: kindPath,
          environment: request.id,
          nodeImage,
          workers,
          ownOnly: !settings.reuse,
          scope,
        })
      : undefined
  if (settings.reuse) progress.note(kept ? `the cluster ${kept.name} is used again` : 'no kept cluster fits')
  const name = kept?.name ?? clusterName(scope.runId, request.id)
  const nodes = nodeNames(name, workers)
  const ownImages = [...Object.values(references), ...loadedAs.values()]
  // A cluster that comes up waits most of the time.
  const archive = kept ? undefined : saveImages({ docker: dockerCli, references: ownImages, scope })
  // From the start: one that fails while the cluster comes up is told of when it is needed.
  const finished = archive?.then(
    () => {},
    () => {},
  )
  scope.defer('finish the archive of images', () => finished)
  const kubeconfig =
    kept?.kubeconfig ??
    (await progress.step(`cluster of ${1 + workers} nodes`, () =>
      createCluster({
        kind: kindPath,
        name,
        config: renderClusterConfig({ name, nodeImage, workers, cgroup, needs }),
        timeoutMs: settings.createTimeoutSeconds * 1000,
        keep: settings.keep,
        scope,
      }),
    ))
  if (settings.keep && !kept)
    progress.note(`the cluster ${name} stays: --reuse finds it, \`meshbench clean\` removes it`)
  const kubectl = new Kubectl({
    path: kubectlPath,
    ...(helm === undefined ? {} : { helmPath: helm }),
    kubeconfig,
    runId: scope.runId,
    signal: scope.signal,
  })
  if (kept) await progress.step('an empty cluster', () => emptyCluster(kubectl))
  const load = async (references: readonly string[], written?: Promise<string>) => {
    const workerNodes = [...new Set([nodes.client, nodes.server, nodes.waypoint])]
    const missing = kept ? await missingImages(nodeExec, workerNodes, references) : references
    if (missing.length === 0) return
    await loadImages({
      kind: kindPath,
      docker: dockerCli,
      name,
      references: missing,
      nodes: workerNodes,
      scope,
      ...(written ? { archive: written } : {}),
    })
  }
  await progress.step('images in the cluster', () => load(ownImages, archive))
  if (needs.defaultCni) await progress.step('nodes ready', () => awaitNodes(kubectl))
  await placeUnpinned(kubectl)
  const proxy = await startApiProxy(kubectl, scope)
  const pods = new PodWatch(proxy)
  scope.defer('stop watching pods', () => pods.close())
  const kubernetesVersion = await readKubernetesVersion(proxy)

  const loaded: Record<string, Promise<string>> = {}
  const loadProgram = async (program: { readonly name: string; readonly argv: readonly string[] }) => {
    const { programImages } = settings
    const reference = await taggedReference(
      engine.docker,
      await provideProgramImage(engine.docker, program, programImages),
    )
    await load([reference])
    return reference
  }

  return createKubeHost({
    kubectl,
    proxy,
    pods,
    request,
    scope,
    images: references,
    loadedAs,
    programImage: async (program) => {
      loaded[program.name] ??= loadProgram(program)
      return loaded[program.name] ?? ''
    },
    imagePullPolicy: 'Never',
    limits: {
      hop: clampLimits(settings.hop, engine.cpus),
      application: clampLimits(settings.application, engine.cpus),
      generator: clampLimits(settings.generator, engine.cpus),
    },
    generatorPods: settings.generatorPods,
    nodes,
    nodeSelectors: Object.fromEntries(
      (['client', 'server', 'waypoint'] as const).map((role) => [
        role,
        { 'kubernetes.io/hostname': nodes[role] },
      ]),
    ),
    usage: usageFromNodes(nodeExec),
    billsNodes: true,
    nodeFailure: watchNodes(engine.docker, Object.values(nodes), scope),
    nodeExec: (node, argv) => nodeExec(node, argv),
    readHost,
    clusterName: name,
    isOwnCluster: true,
    kubernetesVersion,
    apiServer: { host: nodes['control-plane'], port: 6443 },
    namespacePrefix: 'mb',
    // A cluster that goes takes them with it.
    deleteNamespaces: settings.keep || kept !== undefined,
    diagnosticsDir: join(scope.evidenceDir ?? join(scope.stateDir, 'diagnostics'), name),
    loadArchive: (archive) =>
      loadArchive({ kind: kindPath, name, archive, nodes: Object.values(nodes), scope }),
    facts: factsOf({ engine, settings, images, kubernetesVersion, nodeImage, cluster: name }),
  })
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

/** From a node: an API server that was built from source may call itself 0.0.0. */
export async function readKubernetesVersion(proxy: ApiProxy): Promise<string> {
  const { items } = await proxy.json<{ items: { status: { nodeInfo: { kubeletVersion: string } } }[] }>(
    '/api/v1/nodes?limit=1',
  )
  return (items[0]?.status.nodeInfo.kubeletVersion ?? 'unknown').replace(/^v/, '')
}

/** What is pinned nowhere (DNS, a mesh's control plane) goes to the control plane: the workers are for what is measured. */
async function placeUnpinned(kubectl: Kubectl): Promise<void> {
  const keys = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']
  // The key depends on the version; one of the two is not there.
  await Promise.all(keys.map((key) => kubectl.run(['taint', 'nodes', '--all', `${key}-`]).catch(() => {})))
}

function referencesOf({ images }: ContainerImages) {
  return {
    echo: images.echo.reference,
    tunnel: images.tunnel.reference,
    proxy: images.proxy.reference,
    loadgen: images.loadgen.reference,
  }
}

function factsOf(parts: {
  engine: Engine
  settings: KindSettings
  images: ContainerImages
  kubernetesVersion: string
  nodeImage: string
  cluster: string
}): readonly Fact[] {
  const { engine, settings, images, kubernetesVersion, nodeImage } = parts
  const { hop, workers } = settings
  return [
    {
      name: 'platform',
      value: `kind: Kubernetes ${kubernetesVersion}, a control plane and ${workers} workers on one machine`,
    },
    { name: 'cluster', value: parts.cluster },
    { name: 'node image', value: nodeImage },
    { name: 'engine', value: `${engine.product} ${engine.version}, cgroup v${engine.cgroupVersion}` },
    { name: 'base image', value: images.base },
    { name: 'limits of each hop', value: `${Math.min(hop.cpus, engine.cpus)} CPUs, ${hop.memoryMib} MiB` },
    ...generatorFacts(settings.generatorPods),
    { name: 'memory figures', value: 'working set of the cgroup: usage less inactive file pages' },
  ]
}
