/** Installs Cilium from its chart as the network of a cluster, in each of its modes. */
import type { Downloads, Fact, Path } from '../../../harness/model.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { cilium, gatewayApi } from '../../supply/versions.js'
import { gatewayApiStep, waitForGatewayClass } from '../clusters/gateway-api.js'
import type { ChartSettings } from '../clusters/settings.js'
import {
  layValues,
  manifestSteps,
  namespaceStep,
  overlayFacts,
  pullSecretNames,
  pullSecretSteps,
  unknownGround,
  type Ground,
  type LaidRelease,
} from '../clusters/values.js'
import {
  applyManifests,
  helmStep,
  kubernetesStep,
  loadImagesStep,
  waitForRollout,
  waitStep,
  type Step,
} from '../hops/steps.js'
import { ciliumSettings, type CiliumSettings } from './settings.js'
import { gatewayClassManifests, gatewayClassName } from './manifests.js'
import {
  ciliumNamespace,
  ciliumValues,
  spireNamespace,
  type CiliumMode,
  type CiliumOptions,
} from './values.js'

export function meshName(mode: CiliumMode): string {
  return mode === 'none' ? 'cilium' : `cilium-${mode}`
}

/** What it is installed from: SPIRE only where an arm authenticates with it. */
export function ciliumDownloads(mode: CiliumMode, paths: readonly Path[]): Downloads {
  const { agent, operator, envoy, ztunnel, spireServer, spireAgent, spireInit } = cilium.images
  return {
    manifests: mode === 'gateway' ? [gatewayApi] : [],
    charts: [cilium.charts.cilium],
    images: [
      agent,
      operator,
      envoy,
      ...(mode === 'ztunnel' ? [ztunnel] : []),
      ...(needsSpire(paths) ? [spireServer, spireAgent, spireInit] : []),
    ],
  }
}

/** Whether an arm is measured that authenticates mutually, which SPIRE is installed for. */
export function needsSpire(paths: readonly Pick<Path, 'name'>[]): boolean {
  return paths.some(({ name }) => name === 'l4-kernel-mutual-auth')
}

/** What a mode and its settings come to, on a cluster that is known by then. */
export function ciliumOptions(
  mode: CiliumMode,
  { hubble, pullSecrets, mirrors }: CiliumSettings,
  paths: readonly Path[],
  { apiServer, nodes }: Ground,
  imagesByTag: boolean,
): CiliumOptions {
  return {
    encryption: mode === 'gateway' ? 'none' : mode,
    gateways: mode === 'gateway',
    mutualAuth: needsSpire(paths),
    hubble,
    pullSecrets: pullSecretNames(meshName(mode), pullSecrets),
    ...{ apiServer, nodes, imagesByTag },
    // Archives hold original names, whatever mirror they came from.
    ...(imagesByTag ? {} : { mirrors }),
  }
}

/** The chart with its values: ours, and with what the user lays over them. */
export function ciliumCharts(
  mode: CiliumMode,
  options: CiliumOptions,
  settings: Pick<ChartSettings, 'values'>,
) {
  const own = { release: 'cilium', chart: cilium.charts.cilium, values: ciliumValues(options) }
  return layValues(meshName(mode), [own], settings)
}

/** What the user lays over an installation, as far as it can be told without a cluster. */
export function ciliumOverlays(mode: CiliumMode, given: unknown, paths: readonly Path[]): readonly Fact[] {
  const settings = ciliumSettings.parse(given ?? {})
  const options = ciliumOptions(mode, settings, paths, unknownGround, true)
  return overlayFacts(meshName(mode), ciliumCharts(mode, options, settings), settings)
}

export function ciliumSteps(
  options: CiliumOptions,
  releases: readonly LaidRelease[],
  { manifests, pullSecrets }: Pick<ChartSettings, 'manifests' | 'pullSecrets'>,
): readonly Step[] {
  const secrets: Step = {
    title: "keys of Cilium's ztunnel",
    // Loaded when needed: it brings a certificate library that every start of the command line would pay for.
    run: async ({ cluster }) => {
      const { ztunnelSecrets } = await import('./ztunnel-secrets.js')
      await applyManifests(cluster, [await ztunnelSecrets()])
    },
  }
  return [
    kubernetesStep(`Cilium ${cilium.version}`, cilium.minKubernetesMinor),
    loadImagesStep,
    ...(options.encryption === 'ztunnel' ? [secrets] : []),
    // Before Cilium: its operator looks for them when it starts, and without them makes no gateways.
    ...(options.gateways ? [gatewayApiStep] : []),
    ...pullSecretSteps(ciliumNamespace, pullSecrets),
    ...(options.mutualAuth ? [namespaceStep('namespace of SPIRE', spireNamespace, pullSecrets)] : []),
    ...networkSteps(releases),
    ...(options.gateways ? [gatewayClassStep] : []),
    ...manifestSteps(manifests),
  ]
}

/** Cilium's charts, and the cluster that gets ready with them. */
export function networkSteps(releases: readonly LaidRelease[]): readonly Step[] {
  const rollout = (what: string) =>
    waitStep(`${what} is ready`, ['rollout', 'status', what, '-n', ciliumNamespace])
  return [
    ...releases.map(({ merged, ...release }) =>
      // Each part is waited for by itself: SPIRE only by the arms that need it.
      helmStep({ ...release, values: merged, namespace: ciliumNamespace, wait: false }),
    ),
    // Helm would be content while a node or two are still without.
    rollout('daemonset/cilium'),
    rollout('daemonset/cilium-envoy'),
    rollout('deployment/cilium-operator'),
    // Until now there was no network, so no node was ready and nothing else could start.
    waitStep('nodes are ready', ['wait', '--for=condition=Ready', 'node', '--all']),
    rollout('deployment/coredns'),
  ]
}

export const gatewayController = "Cilium's operator with gatewayAPI.enabled"

/** An operator that found no CRDs when it started accepts no class, and says so only in its log. */
const gatewayClassStep: Step = {
  title: 'the class of gateways is accepted',
  async run({ cluster, mesh }) {
    await applyManifests(cluster, gatewayClassManifests())
    await waitForGatewayClass(cluster, { mesh, name: gatewayClassName, controller: gatewayController })
  },
}

const spireTimeoutMs = 3 * 60_000

/** A SPIRE server that is ready and does not answer is a known state of it, and drops every handshake. */
export async function waitForSpire({ kubectl }: Pick<ClusterAccess, 'kubectl'>): Promise<void> {
  for (const what of ['statefulset/spire-server', 'daemonset/spire-agent'])
    await waitForRollout({ kubectl }, what, spireNamespace, spireTimeoutMs)
  const inServer = ['exec', '-n', spireNamespace, 'spire-server-0', '-c', 'spire-server', '--']
  await kubectl([...inServer, '/opt/spire/bin/spire-server', 'healthcheck'])
}
