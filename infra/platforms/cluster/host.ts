/**
 * Runs an environment's components as pods, each arm in a namespace of its own: sidecars in their application's pod,
 * tunnels and per-node proxies as DaemonSets, waypoints as Deployments.
 *
 * A pod's containers are fixed when it is made, but meshes deploy hop by hop from the server's end. So the pod of an
 * application whose path ends in an inbound sidecar is made when that sidecar is deployed; until then the application
 * is only promised, at the loopback address where its sidecar will find it. The client's pod likewise.
 */
import { join } from 'node:path'
import type { Arm, Command, Component, Deployed, Endpoint, Path, Workload } from '../../../harness/model.js'
import type { ArmShape, ClusterAccess, ClusterHost } from '../../meshes/clusters/cluster-access.js'
import { echoWorkload } from '../kit/echo-workload.js'
import { idleScript } from '../kit/remote-scripts.js'
import { ApiError } from './api/api-proxy.js'
import { Arms, podShape, servicePort, waitsForSidecar, type ArmState } from './arms.js'
import { Components } from './usage/components.js'
import { collectDiagnostics } from './diagnostics.js'
import {
  namespaceManifest,
  serviceAccountManifest,
  serviceManifest,
  workloadManifest,
  type ContainerTemplate,
  type WorkloadTemplate,
} from './render/manifests.js'
import { componentLabel, dnsLabel, machineName } from './render/names.js'
import { runTogether, splitLoad } from './generators.js'
import { execArguments, runInPod } from './api/pod-exec.js'
import type { KubeHostOptions } from './host-options.js'
import { Reach, proberName } from './api/reach.js'
import { Rollout } from './rollout.js'
import { clientContainer, renderWorkload, type RenderedWorkload } from './render/templates.js'

const applicationPort = servicePort
/** As the sidecars' of Istio, which never share a pod with ours. */
const hopPort = 15_001
/** Name and container of a pod that is in the mesh, and nobody's peer. */
const strangerName = 'stranger'
const strangerTimeoutMs = 30_000

export async function createKubeHost(options: KubeHostOptions): Promise<ClusterHost> {
  const { kubectl, proxy, pods, request, scope, images, limits, nodes } = options
  const { runId } = scope
  const arms = new Arms(options.namespacePrefix)
  const components = new Components(options)
  const reach = new Reach({ kubectl, proxy, pods, components, createProber })
  const clusterComponents = options.billsNodes ? nodeComponents(nodes) : []
  for (const { component, nodeName } of clusterComponents) components.bindNode(component, nodeName)
  let trouble = false
  const manifestDir = join(scope.stateDir, `manifests-${dnsLabel(options.clusterName)}`)
  const rollout = new Rollout({
    kubectl,
    proxy,
    pods,
    nodes,
    manifestDir,
    signal: scope.signal,
    onTrouble: () => (trouble = true),
  })
  const namespaces: string[] = []
  if (options.deleteNamespaces) {
    scope.defer('delete namespaces', () => deleteNamespaces(proxy, namespaces))
  }
  // Deferred after what deletes namespaces, so that it looks at them before.
  scope.defer('keep diagnostics', async () => {
    if (trouble) await collectDiagnostics({ kubectl, runId, folder: options.diagnosticsDir, manifestDir })
  })
  const pathOf = (arm: Arm): Path => {
    const path = request.paths.find(({ name }) => name === arm.path)
    if (!path) throw new Error(`no path named ${arm.path}`)
    return path
  }

  async function createNamespace(namespace: string, shape: ArmShape | undefined): Promise<void> {
    // Before it is created: what a failed attempt leaves must go, too.
    namespaces.push(namespace)
    await rollout.apply(`namespace ${namespace}`, [
      namespaceManifest(namespace, { runId, machine: machineName() }, shape?.namespace),
      ...['client', 'server', 'hop'].map((name) => serviceAccountManifest(name, namespace, runId)),
    ])
    await pods.watch(namespace)
  }

  const ensureNamespace = (state: ArmState) =>
    (state.namespaceReady ??= createNamespace(state.namespace, state.shape))

  function workload(
    state: { namespace: string },
    parts: Pick<WorkloadTemplate, 'kind' | 'name' | 'node' | 'containers' | 'volumes' | 'serviceAccount'> &
      Partial<WorkloadTemplate>,
  ): WorkloadTemplate {
    const nodeSelector = options.nodeSelectors?.[parts.node]
    return {
      namespace: state.namespace,
      runId,
      component: parts.name,
      imagePullPolicy: options.imagePullPolicy,
      ...(nodeSelector ? { nodeSelector } : {}),
      ...parts,
    }
  }

  // ---------------------------------------------------------------- application

  async function startApplication(arm: Arm, path: Path): Promise<Deployed> {
    const state = arms.of(arm)
    // Its proofs will be asked for as soon as the arms are up. A mesh that shapes it refuses strangers whatever its legs.
    if (state.shape || path.legs.some((leg) => leg !== 'plain')) reach.prepare()
    const component: Component = { ...echoWorkload.component, name: `${arm.id}/echo`, arm: arm.id }
    state.application ??= createApplication(state, path, component)
    return { component, ...(await state.application) }
  }

  async function createApplication(
    state: ArmState,
    path: Path,
    component: Component,
  ): Promise<{ endpoints: Record<string, Endpoint> }> {
    await ensureNamespace(state)
    const rendered = renderWorkload({
      workload: { ...echoWorkload, component },
      name: 'echo',
      namespace: state.namespace,
      runId,
      image: images.echo,
      limits: limits.application,
      firstPort: state.shape?.hostNetwork ? state.hostPort : applicationPort,
    })
    components.bind(component, {
      namespace: state.namespace,
      podSelector: 'app=server',
      container: 'echo',
    })
    reach.setAdminPort(component.name, rendered.ports.admin)
    const waits = waitsForSidecar(state, path, 'inbound')
    const client = waitsForSidecar(state, path, 'outbound') ? Promise.resolve() : ensureClient(state)
    if (waits) {
      state.waitingApplication = rendered
      await client
      return { endpoints: onLoopback(rendered.ports) }
    }
    const appProtocol = state.shape?.service?.appProtocol
    const service = serviceManifest({
      name: 'server',
      namespace: state.namespace,
      runId,
      selector: { app: 'server' },
      ports: (['http', 'tcp'] as const).map((name, index) => ({
        name,
        port: servicePort + index,
        targetPort: rendered.ports[name] ?? 0,
        ...(appProtocol === undefined ? {} : { appProtocol: name === 'http' ? appProtocol : 'tcp' }),
      })),
      ...(state.shape?.service ? { marks: state.shape.service } : {}),
    })
    await rollout.apply(`server of ${state.arm.id}`, [
      ...rendered.objects,
      workloadManifest(serverPod(state, [rendered])),
      service,
    ])
    const [pod] = await Promise.all([rollout.ready(`server of ${state.arm.id}`, serverWhere(state)), client])
    const host = await clusterIp(state.namespace, 'server')
    const podIp = pod.status.podIP ?? ''
    return {
      endpoints: {
        http: { host, port: servicePort },
        tcp: { host, port: servicePort + 1 },
        admin: { host: podIp, port: rendered.ports.admin ?? 0 },
      },
    }
  }

  const serverWhere = (state: ArmState) => ({
    namespace: state.namespace,
    selector: 'app=server',
    role: 'server' as const,
    ...(state.shape?.expectContainers ? { expectContainers: state.shape.expectContainers } : {}),
  })

  function serverPod(state: ArmState, containers: readonly RenderedWorkload[]): WorkloadTemplate {
    return workload(state, {
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

  // ---------------------------------------------------------------- client

  const ensureClient = (state: ArmState) => (state.clientReady ??= createClient(state))

  async function createClient(state: ArmState, sidecar?: RenderedWorkload): Promise<void> {
    await ensureNamespace(state)
    const client = clientContainer(images, limits.generator)
    components.leaveOut({ namespace: state.namespace, podSelector: 'app=client', container: client.name })
    const containers: ContainerTemplate[] = [client]
    if (sidecar) containers.push(sidecar.container)
    await rollout.apply(`client of ${state.arm.id}`, [
      ...(sidecar?.objects ?? []),
      workloadManifest(
        workload(state, {
          kind: 'Deployment',
          name: 'client',
          node: 'client',
          labels: { app: 'client' },
          replicas: options.generatorPods,
          serviceAccount: 'client',
          containers,
          volumes: sidecar?.volumes ?? [],
          ...podShape(state, 'clientPod'),
        }),
      ),
    ])
    await clientsReady(state)
  }

  const clientsReady = (state: ArmState) =>
    rollout.readyAll(
      `client of ${state.arm.id}`,
      { ...serverWhere(state), selector: 'app=client', role: 'client' },
      options.generatorPods,
    )

  // ---------------------------------------------------------------- hops

  async function deploy(hopWorkload: Workload): Promise<Deployed> {
    const { component, program } = hopWorkload
    const arm = request.arms.find(({ id }) => id === component.arm)
    const path = arm && pathOf(arm)
    const hop = path?.hops.find(({ name }) => name === component.hop)
    if (!arm || !hop) throw new Error(`${component.name} is not a hop of a planned arm`)
    const state = arms.of(arm)
    await ensureNamespace(state)
    const name = dnsLabel(hop.name)
    const rendered = renderWorkload({
      workload: hopWorkload,
      name,
      namespace: state.namespace,
      runId,
      image: program.kind === 'image' ? ownImage(program, options) : await options.programImage(program),
      limits: limits.hop,
      firstPort: hopPort,
    })
    reach.setAdminPort(component.name, rendered.ports.admin)
    const inPodOf = { 'sidecar-inbound': 'server', 'sidecar-outbound': 'client' } as const
    const app = hop.role in inPodOf ? inPodOf[hop.role as keyof typeof inPodOf] : undefined
    const selector = app ? `app=${app}` : `${componentLabel}=${name}`
    components.bind(component, { namespace: state.namespace, podSelector: selector, container: name })

    if (app === 'client') {
      state.clientReady = createClient(state, rendered)
      await state.clientReady
      return { component, endpoints: onLoopback(rendered.ports) }
    }
    const application = state.waitingApplication
    if (app === 'server' && !application)
      throw new Error(`${component.name}: its application has not been started`)
    const pod =
      app === 'server' && application
        ? serverPod(state, [application, rendered])
        : workload(state, {
            kind: hop.role === 'waypoint' || hop.role === 'ingress' ? 'Deployment' : 'DaemonSet',
            name,
            node: hop.node,
            serviceAccount: 'hop',
            containers: [rendered.container],
            volumes: rendered.volumes,
          })
    const serviceName = app === 'server' ? 'server' : name
    const admin = rendered.ports.admin
    const traffic = Object.entries(rendered.ports).filter(([listener]) => listener !== 'admin')
    await rollout.apply(component.name, [
      ...(app === 'server' ? (application?.objects ?? []) : []),
      ...rendered.objects,
      workloadManifest(pod),
      serviceManifest({
        name: serviceName,
        namespace: state.namespace,
        runId,
        selector: app ? { app } : { [componentLabel]: name },
        ports: traffic.map(([listener, port]) => ({ name: dnsLabel(listener), port, targetPort: port })),
      }),
    ])
    const started = await rollout.ready(component.name, {
      namespace: state.namespace,
      selector,
      role: app ?? hop.node,
    })
    // Through a service, so that a pod that is replaced is found again.
    const host = await clusterIp(state.namespace, serviceName)
    const endpoints = Object.fromEntries(traffic.map(([listener, port]) => [listener, { host, port }]))
    const podIp = started.status.podIP ?? ''
    return {
      component,
      endpoints: { ...endpoints, ...(admin ? { admin: { host: podIp, port: admin } } : {}) },
    }
  }

  async function clusterIp(namespace: string, service: string): Promise<string> {
    const { spec } = await proxy.json<{ spec: { clusterIP: string } }>(
      `/api/v1/namespaces/${namespace}/services/${service}`,
    )
    return spec.clusterIP
  }

  /** A pod on the client's node that no mesh knows of. */
  async function createProber(): Promise<{ namespace: string }> {
    const namespace = dnsLabel(options.namespacePrefix, proberName)
    await createNamespace(namespace, undefined)
    const container = {
      ...clientContainer(images, limits.generator),
      name: proberName,
      command: idleScript(),
    }
    const parts = {
      kind: 'Deployment',
      name: proberName,
      node: 'client',
      labels: { app: proberName },
    } as const
    await rollout.apply(proberName, [
      workloadManifest(
        workload({ namespace }, { ...parts, serviceAccount: 'client', containers: [container], volumes: [] }),
      ),
    ])
    await rollout.ready(proberName, { namespace, selector: `app=${proberName}`, role: 'client' })
    return { namespace }
  }

  async function runAsStranger(arm: Arm, argv: readonly string[]): Promise<string> {
    const state = arms.of(arm)
    const { namespace } = state
    const title = `stranger of ${arm.id}`
    const container = { ...clientContainer(images, limits.generator), name: strangerName }
    const parts = { kind: 'Deployment', name: strangerName, node: 'client' } as const
    try {
      await rollout.apply(title, [
        workloadManifest(
          workload(state, {
            ...parts,
            labels: { app: strangerName },
            serviceAccount: 'hop',
            containers: [container],
            volumes: [],
            ...podShape(state, 'clientPod'),
          }),
        ),
      ])
      const pod = await rollout.ready(title, {
        ...serverWhere(state),
        selector: `app=${strangerName}`,
        role: 'client',
      })
      const target = { namespace, pod: pod.metadata.name, container: strangerName }
      return await kubectl.run(execArguments(target, { argv }), { timeoutMs: strangerTimeoutMs })
    } finally {
      // Before anything is measured: nobody would be billed for it.
      const gone = ['--ignore-not-found', '--cascade=foreground', '--wait=true', '--timeout=60s']
      await kubectl.run(['delete', 'deployment', strangerName, '-n', namespace, ...gone], {
        timeoutMs: 75_000,
      })
    }
  }

  const cluster: ClusterAccess = {
    clusterName: options.clusterName,
    isOwn: options.isOwnCluster,
    kubernetesVersion: options.kubernetesVersion,
    nodes,
    apiServer: options.apiServer,
    kubectl: (args, access) => kubectl.run(args, access),
    helm: (args, access) => kubectl.helm(args, access),
    nodeExec: options.nodeExec,
    ...(options.loadArchive ? { loadArchive: options.loadArchive } : {}),
    shapeArm(arm, shape) {
      const state = arms.of(arm)
      if (state.namespaceReady) throw new Error(`${arm.id} has been started: its shape comes too late`)
      state.shape = shape
    },
    objectsOf: (arm) => arms.objectsOf(arm),
    ensureNamespace: (arm) => ensureNamespace(arms.of(arm)),
    ensureClient: (arm) => ensureClient(arms.of(arm)),
    runAsStranger,
    bind: (component, containers) => {
      components.bind(component, containers)
      // Rejects only when the API server is gone, which everything else will tell.
      void pods.watch(containers.namespace).catch(() => {})
    },
  }

  return {
    cluster,
    facts: options.facts,
    components: clusterComponents.map(({ component }) => component),
    startApplication,
    deploy,
    fetchAdmin: (component, path) => reach.fetchAdmin(component, path),

    exec(arm, command) {
      const state = arms.of(arm)
      const [program = '', ...args] = command.argv
      const isLoad = program === 'loadgen'
      const argv = isLoad ? ['node', '/app/loadgen.mjs', ...args] : command.argv
      // A client whose pod was replaced since the last trial is waited for.
      const ready = clientsReady(state)
      const inPod = (part: Command, index: number) => {
        const resolve = async () => {
          const pod = (await ready)[index]
          if (!pod) throw new Error(`${arm.id} has no client number ${index + 1}`)
          return { namespace: state.namespace, pod: pod.metadata.name, container: 'client' }
        }
        return runInPod(kubectl, resolve, part)
      }
      return runTogether(command, isLoad ? splitLoad(argv, options.generatorPods) : [argv], inPod)
    },

    connect: (endpoint) => reach.connect(endpoint),
    readUsage: (measured) => components.readUsage(measured),
    readHost: options.readHost,

    beginTrial: () => components.beginTrial(),
    health(component) {
      const failure = components.health(component)
      if (failure) trouble = true
      return failure
    },
    // The kubelet looks at its containers once a second, and the API server hears of it later.
    deathNoticedMs: 5_000,
  }
}

/**
 * Deletes namespaces without waiting for their end. Their pods go at once, since they hold nothing that a graceful end
 * would save: a kubelet may take a minute over one, and the next run on the cluster would wait for it.
 */
async function deleteNamespaces(proxy: KubeHostOptions['proxy'], names: readonly string[]): Promise<void> {
  const results = await Promise.allSettled(
    names.map(async (name) => {
      const path = `/api/v1/namespaces/${name}`
      await proxy.delete(path)
      // Who may delete a namespace need not be allowed this; then they take their time.
      await proxy.delete(`${path}/pods?gracePeriodSeconds=0`).catch(() => {})
    }),
  )
  for (const { reason } of results.filter((result) => result.status === 'rejected')) {
    if (!(reason instanceof ApiError && reason.status === 404)) throw reason
  }
}

/** Kubernetes itself, by node: kubelet, container runtime, and on the control plane the API server and its store. */
function nodeComponents(nodes: KubeHostOptions['nodes']): { component: Component; nodeName: string }[] {
  const byNode = new Map<string, Component['node'][]>()
  for (const [role, nodeName] of Object.entries(nodes) as [Component['node'], string][])
    byNode.set(nodeName, [...(byNode.get(nodeName) ?? []), role])
  return [...byNode].map(([nodeName, [role = 'control-plane', ...others]]) => ({
    nodeName,
    component: {
      name: `kubernetes/${[role, ...others].join('+')} node`,
      category: 'platform',
      node: role,
    },
  }))
}

function onLoopback(ports: Readonly<Record<string, number>>): Record<string, Endpoint> {
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, { host: '127.0.0.1', port }]))
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
