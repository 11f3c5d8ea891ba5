/**
 * The hops of our own and of proxies that stand alone: sidecars in their application's or client's pod, tunnels and
 * per-node proxies as DaemonSets, waypoints as Deployments.
 */
import type { Component, Deployed, Hop, Workload } from '../../../harness/model.js'
import type { Reach } from './api/reach.js'
import type { ApplicationPods } from './application-pods.js'
import type { ArmState } from './arms.js'
import type { ClientPods } from './client-pods.js'
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

export class HopPods {
  readonly #parts: HostParts
  readonly #applications: ApplicationPods
  readonly #clients: ClientPods
  readonly #reach: Reach

  constructor(parts: HostParts, applications: ApplicationPods, clients: ClientPods, reach: Reach) {
    this.#parts = parts
    this.#applications = applications
    this.#clients = clients
    this.#reach = reach
  }

  async deploy(workload: Workload): Promise<Deployed> {
    const { options, components, namespaces } = this.#parts
    const { component, program } = workload
    const { state, hop } = this.#find(component)
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
    this.#reach.setAdminPort(component.name, rendered.ports.admin)
    const podSelector =
      hop.role === 'sidecar-inbound'
        ? 'app=server'
        : hop.role === 'sidecar-outbound'
          ? 'app=client'
          : `${componentLabel}=${name}`
    components.bind(component, { namespace, podSelector, container: name })
    if (hop.role === 'sidecar-outbound') {
      await this.#clients.createWith(state, rendered)
      return { component, endpoints: onLoopback(rendered.ports) }
    }
    const how =
      hop.role === 'sidecar-inbound'
        ? this.#besideApplication(state, component, rendered)
        : this.#alone(state, hop, rendered)
    return this.#rollOut(component, rendered, how)
  }

  #find(component: Component): { readonly state: ArmState; readonly hop: Hop } {
    const { arms, options } = this.#parts
    const { arms: planned, paths } = options.request
    const arm = planned.find(({ id }) => id === component.arm)
    const path = paths.find(({ name }) => name === arm?.path)
    const hop = path?.hops.find(({ name }) => name === component.hop)
    if (!arm || !hop) throw new Error(`${component.name} is not a hop of a planned arm`)
    return { state: arms.of(arm), hop }
  }

  #besideApplication(state: ArmState, component: Component, sidecar: RenderedWorkload): HopRollout {
    const application = state.waitingApplication
    if (!application) throw new Error(`${component.name}: its application has not been started`)
    const parts = [application, sidecar]
    return {
      pod: this.#applications.podOf(state, parts),
      parts,
      service: 'server',
      where: podsOf(state, 'server'),
      selector: { app: 'server' },
    }
  }

  #alone(state: ArmState, hop: Hop, rendered: RenderedWorkload): HopRollout {
    const { name } = rendered.container
    const pod = workloadOf(this.#parts.options, state, {
      kind: hop.role === 'waypoint' || hop.role === 'ingress' ? 'Deployment' : 'DaemonSet',
      name,
      node: hop.node,
      serviceAccount: 'hop',
      containers: [rendered.container],
      volumes: rendered.volumes,
    })
    const selector = { [componentLabel]: name }
    const where = { namespace: state.namespace, selector: `${componentLabel}=${name}`, role: hop.node }
    return { pod, parts: [rendered], service: name, where, selector }
  }

  async #rollOut(component: Component, hop: RenderedWorkload, how: HopRollout): Promise<Deployed> {
    const { options, rollout } = this.#parts
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
}

/** The image built here, or the one that a variant names. */
function ownImage(
  { image, build }: Extract<Workload['program'], { kind: 'image' }>,
  { images, loadedAs }: Pick<KubeHostOptions, 'images' | 'loadedAs'>,
): string {
  if (build === undefined) return images[image]
  if (!('reference' in build)) throw new Error(`a bundle of ${image} cannot run in a container here`)
  return loadedAs?.get(build.reference) ?? build.reference
}
