/** The pods that answer: one for each arm, with the sidecar that its path ends in. */
import { defined } from '../../../harness/model/defined.js'
import type { Arm, Deployed, Endpoint, Path, Workload } from '../../../harness/model.js'
import { echoWorkloadOf } from '../kit/units.js'
import { servicePort, waitsForSidecar, type ArmState } from './arms.js'
import { ensureClient } from './client-pods.js'
import { onLoopback, podShape, podsOf, workloadOf, type HostParts } from './parts.js'
import {
  serviceManifest,
  workloadManifest,
  type Manifest,
  type WorkloadTemplate,
} from './render/manifests.js'
import { renderWorkload, type RenderedWorkload } from './render/templates.js'

/** The arm's application and its client; both are only promised where a sidecar that comes later shares their pod. */
export async function startApplication(parts: HostParts, arm: Arm, path: Path): Promise<Deployed> {
  const state = parts.stateOf(arm)
  // Its proofs will be asked for as soon as the arms are up. A mesh that shapes it refuses strangers whatever its legs.
  if (state.shape || path.legs.some((leg) => leg !== 'plain')) parts.reach.prepare()
  const workload = echoWorkloadOf(arm)
  state.application ??= create(parts, state, path, workload)
  return { component: workload.component, endpoints: await state.application }
}

async function create(
  parts: HostParts,
  state: ArmState,
  path: Path,
  workload: Workload,
): Promise<Record<string, Endpoint>> {
  const { component } = workload
  const { options, components, namespaces, reach } = parts
  const { namespace, shape } = state
  await namespaces.ensure(state)
  const application = renderWorkload({
    workload,
    name: 'echo',
    namespace,
    runId: options.scope.runId,
    image: options.images.echo,
    limits: options.limits.application,
    firstPort: shape?.hostNetwork ? state.hostPort : servicePort,
  })
  components.bind(component, { namespace, podSelector: 'app=server', container: 'echo' })
  reach.setAdminPort(component.name, application.ports.admin)
  const client = waitsForSidecar(state, path, 'outbound') ? undefined : ensureClient(parts, state)
  if (waitsForSidecar(state, path, 'inbound')) {
    state.waitingApplication = application
    await client
    return onLoopback(application.ports)
  }
  const [endpoints] = await Promise.all([rollOut(parts, state, application), client])
  return endpoints
}

async function rollOut(
  parts: HostParts,
  state: ArmState,
  application: RenderedWorkload,
): Promise<Record<string, Endpoint>> {
  const { options, rollout } = parts
  const title = `server of ${state.arm.id}`
  const { ports, objects } = application
  await rollout.apply(title, [
    ...objects,
    workloadManifest(applicationPod(parts, state, [application])),
    serviceOf(state, options.scope.runId, ports),
  ])
  const pod = await rollout.ready(title, podsOf(state, 'server'))
  const host = await rollout.clusterIp(state.namespace, 'server')
  return {
    http: { host, port: servicePort },
    tcp: { host, port: servicePort + 1 },
    admin: { host: pod.status.podIP ?? '', port: ports.admin ?? 0 },
  }
}

function serviceOf(state: ArmState, runId: string, ports: Readonly<Record<string, number>>): Manifest {
  const marks = state.shape?.service
  const protocols = { http: marks?.appProtocol, tcp: marks?.appProtocol && 'tcp' }
  return serviceManifest({
    name: 'server',
    namespace: state.namespace,
    runId,
    selector: { app: 'server' },
    ports: (['http', 'tcp'] as const).map((name, index) => ({
      name,
      port: servicePort + index,
      targetPort: ports[name] ?? 0,
      ...defined({ appProtocol: protocols[name] }),
    })),
    ...defined({ marks }),
  })
}

export function applicationPod(
  { options }: HostParts,
  state: ArmState,
  containers: readonly RenderedWorkload[],
): WorkloadTemplate {
  return workloadOf(options, state, {
    kind: 'Deployment',
    name: 'server',
    node: 'server',
    labels: { app: 'server' },
    serviceAccount: 'server',
    containers: containers.map(({ container }) => container),
    volumes: containers.flatMap(({ volumes }) => volumes),
    ...podShape(state, 'serverPod'),
  })
}
