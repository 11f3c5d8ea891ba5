/**
 * An existing cluster: how one outgrows a single machine. Creates namespaces of its own and nothing else, and reads
 * usage without access to the nodes.
 */
import { defined } from '../../../harness/model/defined.js'
import { UserError, exitCodes } from '../../../harness/model/errors.js'
import type {
  EnvironmentRequest,
  Fact,
  Host,
  NodeRole,
  Platform,
  Progress,
  Scope,
  Unmet,
} from '../../../harness/model.js'
import { createKubeHost, watchCluster } from '../cluster/host.js'
import { Kubectl, reasonOf } from '../cluster/api/kubectl.js'
import { chartMeshes, clusterTools } from '../../meshes/declared.js'
import { hasCharts, pullCommandFor } from '../../supply/pull.js'
import { checkTools, requireTools } from '../../supply/tools.js'
import { tools, type ToolName } from '../../supply/versions.js'
import { checkGeneratorPods, configuredImages, generatorFacts, platformSettings } from '../kit/settings.js'
import { contextLeftovers } from './clean.js'
import { assignNodes, type NodeInfo } from './nodes.js'
import { kubernetesSettings, looksLikeProduction, type KubernetesSettings } from './settings.js'

export const kubernetes: Platform = {
  name: 'kubernetes',
  summary: 'a Kubernetes cluster that you have; needs kubectl, a context and images that its nodes can pull',
  offers: ['own-hops', 'cluster'],
  environments: 'per-mesh',
  builds: 'image',
  times: { environmentMs: 10_000, armMs: 5_000, hopMs: 4_000, trialMs: 770 },
  armsAtOnce: 4,
  settings: kubernetesSettings,
  flags: { allowClusterScope: 'let a mesh change the whole cluster' },
  downloads: (settings, meshes) => [
    { neededBy: 'kubernetes', tools: [tools.kubectl, ...(meshes.some(hasCharts) ? [tools.helm] : [])] },
    { neededBy: 'the config', images: configuredImages(kubernetesSettings.parse(settings ?? {})) },
  ],
  leftovers: contextLeftovers,
  check: checkKubernetes,
  create,
}

async function checkKubernetes(request: EnvironmentRequest): Promise<readonly Unmet[]> {
  const settings = platformSettings(kubernetesSettings, request)
  const pullCommand = pullCommandFor(request.config.platform, chartMeshes(request))
  const [noKubectl = [], ...noOthers] = await Promise.all(
    clusterTools(request).map((name) => checkTools({ names: [name], pullCommand })),
  )
  const unmet: Unmet[] = [
    ...noKubectl,
    ...noOthers.flat(),
    ...checkScope(request, settings),
    ...checkGeneratorPods(request, settings.generatorPods),
  ]
  if (!settings.images) {
    unmet.push({
      need: 'images that the nodes of the cluster can pull',
      found: 'no platformSettings.kubernetes.images',
      remedy:
        'build them with infra/supply/container-images/Dockerfile, push them, and name echo, tunnel, proxy and loadgen by digest',
    })
  }
  if (noKubectl.length > 0) return unmet
  const kubectl = await kubectlFor(['kubectl'], settings, {
    runId: 'check',
    signal: new AbortController().signal,
  })
  const context = await contextOf(kubectl, settings).catch((error: unknown) => error as Error)
  if (context instanceof Error) {
    return [
      ...unmet,
      {
        need: 'a context of kubectl',
        found: reasonOf(context),
        remedy:
          'set one with `kubectl config use-context`, or name it in platformSettings.kubernetes.context',
      },
    ]
  }
  if (settings.context === undefined && looksLikeProduction(context)) {
    unmet.push({
      need: 'a context that is meant for load',
      found: `the current context is ${context}, which looks like production`,
      remedy: `name it in platformSettings.kubernetes.context if you mean it`,
    })
    return unmet
  }
  try {
    assignNodes(await readNodes(kubectl), settings.nodeSelectors)
  } catch (error) {
    unmet.push({
      need: `nodes of the cluster ${context}`,
      found: reasonOf(error),
      remedy: 'see that the cluster can be reached, or set platformSettings.kubernetes.nodeSelectors',
    })
  }
  return unmet
}

/** Meshes that install custom resources and webhooks change the cluster for everybody on it. */
function checkScope(request: EnvironmentRequest, settings: KubernetesSettings): readonly Unmet[] {
  const wide = chartMeshes(request)
  if (wide.length === 0 || settings.allowClusterScope) return []
  return [
    {
      need: `permission to change the whole cluster, which installing ${wide.join(', ')} does`,
      found: 'no --allow-cluster-scope',
      remedy: 'give --allow-cluster-scope if the cluster is yours to change, or use --platform kind',
    },
  ]
}

async function create(request: EnvironmentRequest, scope: Scope, progress: Progress): Promise<Host> {
  const settings = platformSettings(kubernetesSettings, request)
  const [first] = await checkKubernetes(request)
  if (first || !settings.images) {
    throw new UserError(`${first?.need ?? 'images'}: ${first?.found ?? 'none'}`, {
      hint: first?.remedy ?? 'meshbench doctor --platform kubernetes',
      exitCode: exitCodes.hostLacks,
    })
  }
  const context = await contextOf(await kubectlFor(['kubectl'], settings, scope), settings)
  // By its name: another context may become the current one while the run goes on.
  const kubectl = await kubectlFor(clusterTools(request), { ...settings, context }, scope)
  const found = await progress.step(`nodes of ${context}`, () => readNodes(kubectl))
  const nodes = assignNodes(found, settings.nodeSelectors)
  const watched = await watchCluster(kubectl, scope)
  return createKubeHost({
    ...{ kubectl, request, scope, nodes, ...watched },
    images: settings.images,
    programImage: async ({ name }) => {
      const reference = settings.programImages[name]
      if (reference !== undefined) return reference
      throw new UserError(`no image of ${name} that the cluster can pull is named`, {
        hint: `set platformSettings.kubernetes.programImages.${name} to a reference by digest`,
      })
    },
    limits: { hop: settings.hop, application: settings.application, generator: settings.generator },
    generatorPods: settings.generatorPods,
    apiServer: { host: 'kubernetes.default.svc', port: 443 },
    facts: [...factsOf(context, watched.kubernetesVersion, nodes), ...generatorFacts(settings.generatorPods)],
  })
}

function factsOf(
  context: string,
  kubernetesVersion: string,
  nodes: Readonly<Record<NodeRole | 'control-plane', string>>,
): readonly Fact[] {
  const roles = ['client', 'server', 'waypoint'] as const
  const names = roles.map((role) => `${role} on ${nodes[role]}`)
  return [
    { name: 'platform', value: `kubernetes: context ${context}, Kubernetes ${kubernetesVersion}` },
    { name: 'placement', value: names.join(', ') },
    {
      name: 'usage',
      value:
        "from the kubelets' /metrics/resource, whose samples are up to 15 s old: use windows of a minute and more",
    },
    {
      name: 'host total',
      value: 'of the machine that runs Meshbench, which is none of the nodes: it cannot be reconciled',
    },
  ]
}

async function kubectlFor(
  names: readonly ToolName[],
  settings: KubernetesSettings,
  scope: Pick<Scope, 'runId' | 'signal'>,
): Promise<Kubectl> {
  const found = await requireTools({ names })
  return new Kubectl({
    path: found.kubectl ?? 'kubectl',
    ...defined({ helmPath: found.helm, context: settings.context }),
    runId: scope.runId,
    signal: scope.signal,
  })
}

async function contextOf(kubectl: Kubectl, settings: KubernetesSettings): Promise<string> {
  return settings.context ?? (await kubectl.run(['config', 'current-context'])).trim()
}

async function readNodes(kubectl: Kubectl): Promise<readonly NodeInfo[]> {
  const { items } = await kubectl.json<{ items: NodeInfo[] }>(['get', 'nodes'], { timeoutMs: 20_000 })
  return items
}
