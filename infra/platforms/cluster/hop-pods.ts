/**
 * The hops of our own and of proxies that stand alone: sidecars in their application's or client's pod, tunnels and
 * per-node proxies as DaemonSets, waypoints as Deployments.
 */
import type { Component, Deployed, Hop, Workload } from '../../../harness/model.js'
import { applicationPod } from './application-pods.js'
import type { ArmState } from './arms.js'
import { ensureClient } from './client-pods.js'
import type { KubeHostOptions } from './host-options.js'
import { onLoopback, podsOf, workloadOf, type HostParts } from './parts.js'
import { serviceManifest, workloadManifest, type WorkloadTemplate } from './render/manifests.js'
import { componentLabel, dnsLabel } from './render/names.js'
import { renderWorkload, type RenderedWorkload } from './render/templates.js'
import type { PodsWanted } from './rollout.js'

/** As the sidecars' of Istio, which never share a pod with ours. */
const hopPort = 15_001

/** How a hop comes up: its pod with everything that is in it, and the service in front of it. */
interface HopRollout {
  readonly pod: WorkloadTemplate
  readonly parts: readonly RenderedWorkload[]
  readonly service: string
  readonly where: PodsWanted
  readonly selector: Readonly<Record<string, string>>
}

export async function deployHop(parts: HostParts, workload: Workload): Promise<Deployed> {
  const { options, components, namespaces, reach } = parts
  const { component, program } = workload
  const { state, hop } = findHop(parts, component)
  const { namespace } = state
  await namespaces.ensure(state)
  const name = dnsLabel(hop.name)
  const rendered = renderWorkload({
    workload,
    name,
    namespace,
    runId: options.scope.runId,
    image: program.kind === 'image' ? ownImage(program, options) : await options.programImage(program),
    limits: options.limits.hop,
    firstPort: hopPort,
  })
  reach.setAdminPort(component.name, rendered.ports.admin)
  const bind = (podSelector: string) =>
    components.bind(component, { namespace, podSelector, container: name })
  if (hop.role === 'sidecar-outbound') {
    bind('app=client')
    await ensureClient(parts, state, rendered)
    return { component, endpoints: onLoopback(rendered.ports) }
  }
  const isBeside = hop.role === 'sidecar-inbound'
  bind(isBeside ? 'app=server' : `${componentLabel}=${name}`)
  const how = isBeside
    ? besideApplication(parts, state, component, rendered)
    : alone(parts, state, hop, rendered)
  return rollOut(parts, component, rendered, how)
}

function findHop(
  { stateOf, options: { request } }: HostParts,
  component: Component,
): { readonly state: ArmState; readonly hop: Hop } {
  const arm = request.arms.find(({ id }) => id === component.arm)
  const path = request.paths.find(({ name }) => name === arm?.path)
  const hop = path?.hops.find(({ name }) => name === component.hop)
  if (!arm || !hop) throw new Error(`${component.name} is not a hop of a planned arm`)
  return { state: stateOf(arm), hop }
}

function besideApplication(
  parts: HostParts,
  state: ArmState,
  component: Component,
  sidecar: RenderedWorkload,
): HopRollout {
  const application = state.waitingApplication
  if (!application) throw new Error(`${component.name}: its application has not been started`)
  return {
    pod: applicationPod(parts, state, [application, sidecar]),
    parts: [application, sidecar],
    service: 'server',
    where: podsOf(state, 'server'),
    selector: { app: 'server' },
  }
}

function alone({ options }: HostParts, state: ArmState, hop: Hop, rendered: RenderedWorkload): HopRollout {
  const { name } = rendered.container
  const pod = workloadOf(options, state, {
    kind: hop.role === 'waypoint' || hop.role === 'ingress' ? 'Deployment' : 'DaemonSet',
    name,
    node: hop.node,
    serviceAccount: 'hop',
    containers: [rendered.container],
    volumes: rendered.volumes,
  })
  const where = { namespace: state.namespace, selector: `${componentLabel}=${name}`, role: hop.node }
  return { pod, parts: [rendered], service: name, where, selector: { [componentLabel]: name } }
}

async function rollOut(
  { options, rollout }: HostParts,
  component: Component,
  hop: RenderedWorkload,
  how: HopRollout,
): Promise<Deployed> {
  const { namespace } = how.where
  const { admin, ...traffic } = hop.ports
  await rollout.apply(component.name, [
    ...how.parts.flatMap(({ objects }) => objects),
    workloadManifest(how.pod),
    serviceManifest({
      name: how.service,
      namespace,
      runId: options.scope.runId,
      selector: how.selector,
      ports: Object.entries(traffic).map(([listener, port]) => ({
        name: dnsLabel(listener),
        port,
        targetPort: port,
      })),
    }),
  ])
  const pod = await rollout.ready(component.name, how.where)
  // Through a service, so that a pod that is replaced is found again.
  const host = await rollout.clusterIp(namespace, how.service)
  const endpoints = Object.fromEntries(
    Object.entries(traffic).map(([listener, port]) => [listener, { host, port }]),
  )
  if (admin) endpoints.admin = { host: pod.status.podIP ?? '', port: admin }
  return { component, endpoints }
}

/** The image built here, or the one that a variant names. */
function ownImage(
  { image, build }: Extract<Workload['program'], { kind: 'image' }>,
  { images, own }: Pick<KubeHostOptions, 'images' | 'own'>,
): string {
  if (build === undefined) return images[image]
  if (!('reference' in build)) throw new Error(`a bundle of ${image} cannot run in a container here`)
  return own?.loadedAs.get(build.reference) ?? build.reference
}
