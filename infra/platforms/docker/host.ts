/** Runs an environment's components as containers: a network for each node, a container for each component. */
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import { defined } from '../../../harness/model/defined.js'
import { messageOf } from '../../../harness/model/errors.js'
import type {
  Arm,
  Change,
  Command,
  Component,
  Deployed,
  Endpoint,
  EnvironmentRequest,
  Fact,
  Hop,
  Host,
  NodeRole,
  Path,
  Running,
  Scope,
  TrialError,
  UsageReading,
  Workload,
} from '../../../harness/model.js'
import { readHost } from '../../../harness/process/probes/host.js'
import { readEach } from '../../../harness/process/read-each.js'
import { programPath, type ContainerImages } from '../../supply/container-images/build.js'
import { configText, containerCommand } from '../../supply/container-images/command.js'
import { fetchText } from '../local/loopback.js'
import { NotReadyError } from '../local/process.js'
import { fetchScript, idleScript, relayScript, relayed } from '../kit/remote-scripts.js'
import { applicationOf, cpusOf } from '../kit/units.js'
import { removeArm } from './clean.js'
import { configFolder, type ContainerSpec } from './container-options.js'
import { readyTimeoutMs, startContainer, type StartedContainer } from './container.js'
import { runInContainer } from './generator.js'
import { execInContainer } from './exec.js'
import { componentLabel, nodeLabel, objectName, runLabels } from './labels.js'
import type { DockerSettings } from './settings.js'
import { attachmentOf, attachmentOfService, besideOf, isSidecar, type Attachment } from './topology.js'

export interface DockerHostOptions {
  readonly docker: Docker
  readonly request: EnvironmentRequest
  readonly scope: Scope
  readonly images: ContainerImages
  /** Reference of the image of one of this repository's programs, in the build that is asked for. */
  readonly ownImage: (program: OwnImage) => Promise<string>
  /** Reference of an image that holds a program of others. */
  readonly programImage: (program: BinaryProgram) => Promise<string>
  readonly settings: DockerSettings
  readonly networks: Readonly<Record<NodeRole, string>>
  readonly facts: readonly Fact[]
  /** How admin pages and ports are reached: at the container's address, or from within the container. */
  readonly reach: 'address' | 'exec'
}

type OwnImage = Extract<Workload['program'], { kind: 'image' }>
type BinaryProgram = Extract<Workload['program'], { kind: 'binary' }>

/** A component, with the container whose network it lives in: its own, or its application's. */
interface Place {
  readonly deployed: Deployed
  readonly started: StartedContainer
  readonly owner: StartedContainer
  /** Address of `owner` as seen from this machine. */
  readonly address: string
  /** Resolves when what announces nothing itself answers. */
  readonly ready: () => Promise<void>
}

/** First port that is given out. Each listener of an environment gets its own, so that sidecars can share a network. */
const firstPort = 20_000

export class DockerHost implements Host {
  readonly facts: readonly Fact[]
  readonly readHost = readHost
  readonly #options: DockerHostOptions
  readonly #places = new Map<string, Place>()
  #nextPort = firstPort
  #generators = 0
  #relays = 0
  /** Component → its place: the one that serves all, and those of units. */
  readonly #applications = new Map<string, Promise<Place>>()

  constructor(options: DockerHostOptions) {
    this.#options = options
    this.facts = options.facts
    options.scope.defer('stop watching containers', () => {
      for (const { started } of this.#places.values()) started.expectEnd()
    })
  }

  async startApplication(arm: Arm, path: Path): Promise<Deployed> {
    // One server for all arms, so that it is the same for all of them; inbound sidecars join its network.
    const workload = applicationOf(arm, path)
    const { name } = workload.component
    const application =
      this.#applications.get(name) ?? this.#place(workload, { at: attachmentOf(path, path.hops.length) })
    this.#applications.set(name, application)
    const { deployed } = await application
    return isSidecar(path.hops.at(-1), 'inbound') ? overLoopback(deployed) : deployed
  }

  async deploy(workload: Workload): Promise<Deployed> {
    const { hop: hopName, name, category } = workload.component
    const arm = this.#armOf(workload.component.arm)
    const path = arm && this.#pathOf(arm)
    if (path && category === 'called-service')
      return (await this.#place(workload, { at: attachmentOfService(path) })).deployed
    const index = path?.hops.findIndex((hop) => hop.name === hopName) ?? -1
    const hop = path?.hops[index]
    if (!path || !hop) throw new Error(`${name} is not a hop of a planned arm`)
    const beside = besideOf(hop, arm, path)
    const owner = beside === undefined ? await this.#clientOf(hop, arm, path) : this.#find(beside).owner
    const { deployed } = await this.#place(workload, { at: attachmentOf(path, index), ...defined({ owner }) })
    return isSidecar(hop, 'outbound') ? overLoopback(deployed) : deployed
  }

  /** What an arm that failed left would have its part of the cores beside the others. */
  async takeDown({ id }: Arm): Promise<void> {
    const { docker, scope } = this.#options
    for (const [name, { started }] of this.#places) {
      if (!name.startsWith(`${id}/`)) continue
      started.expectEnd()
      this.#places.delete(name)
    }
    await removeArm(docker, scope.runId, id)
  }

  /** The generator shares the network of the client's sidecar, or is on the client's network by itself. */
  exec(arm: Arm, command: Command): Running {
    const { networks, images, settings } = this.#options
    const path = this.#pathOf(arm)
    if (!path) throw new Error(`${arm.id} is not a planned arm`)
    const [first] = path.hops
    const sidecar = isSidecar(first, 'outbound')
      ? this.#places.get(`${arm.id}/${first?.name ?? ''}`)
      : undefined
    const { home, others } = attachmentOf(path, -1)
    const [program = '', ...args] = command.argv
    return this.#runBeside('generator', this.#generators++, {
      image: images.images.loadgen,
      argv: program === 'loadgen' ? ['node', programPath('loadgen'), ...args] : command.argv,
      ...defined({ env: command.env }),
      networkMode: sidecar ? `container:${sidecar.owner.id}` : networks[home],
      limits: settings.generator,
      networks: sidecar ? [] : others.map((node) => networks[node]),
      ...defined({ input: command.input }),
    })
  }

  async fetchAdmin(component: string, path: string): Promise<string> {
    const { docker, reach } = this.#options
    const { deployed, started } = this.#find(component)
    const admin = deployed.endpoints.admin
    if (!admin) throw new Error(`${component} has no admin listener`)
    if (reach === 'address') return fetchText(admin, path)
    return execInContainer(docker, started.id, fetchScript('127.0.0.1', admin.port, path))
  }

  connect({ host, port }: Endpoint): Duplex {
    const { reach, images, settings } = this.#options
    const { address, owner } = this.#behind({ host, port })
    if (reach === 'address') return connect(port, address)
    const relay = this.#runBeside('relay', this.#relays++, {
      image: images.images.loadgen,
      argv: relayScript({ host: '127.0.0.1', port }),
      networkMode: `container:${owner.id}`,
      limits: settings.generator,
      networks: [],
    })
    return relayed(Promise.resolve(relay))
  }

  /** Of one that has died `health` tells. */
  async readUsage(components: readonly Component[]): Promise<Readonly<Record<string, UsageReading>>> {
    return readEach(components, async ({ name }) => {
      const { started } = this.#places.get(name) ?? {}
      return started?.failure ? undefined : started?.read()
    })
  }

  async change(component: string, change: Change): Promise<void> {
    const { started, ready } = this.#find(component)
    await started.change(change)
    if (change.do === 'start') await ready()
  }

  health(component: string): TrialError | undefined {
    return this.#places.get(component)?.started.failure
  }

  /**
   * What holds the network of a client and of its sidecars, as a pod's sandbox does. A container that ends and comes back is
   * given a new network, and the generator would stay behind in the old one. Undefined of a hop that no client shares one with.
   */
  async #clientOf(hop: Hop, arm: Arm, path: Path): Promise<StartedContainer | undefined> {
    if (!isSidecar(hop, 'outbound')) return undefined
    const { docker, scope, images, settings, networks } = this.#options
    const { home, others } = attachmentOf(path, 0)
    const name = `${arm.id}/client`
    return startContainer({
      docker,
      spec: this.#specOf({
        component: { name, category: 'generator', node: 'client' },
        name: objectName(scope.runId, name),
        image: images.images.loadgen,
        argv: idleScript(),
        networkMode: networks[home],
        limits: settings.generator,
      }),
      networks: others.map((node) => networks[node]),
      files: {},
    })
  }

  async #place(workload: Workload, where: { at: Attachment; owner?: StartedContainer }): Promise<Place> {
    const { docker, request, scope, settings, networks, ownImage, programImage } = this.#options
    const { component, program, listeners } = workload
    const { home, others } = where.at
    const ports = Object.fromEntries(listeners.map((name) => [name, this.#nextPort++]))
    const config = workload.config({ bindHost: '0.0.0.0', ports, file: (name) => `${configFolder}/${name}` })
    const started = await startContainer({
      docker,
      spec: this.#specOf({
        component,
        name: objectName(scope.runId, component.name),
        image: program.kind === 'image' ? await ownImage(program) : await programImage(program),
        argv: containerCommand(program, `${configFolder}/config.json`),
        networkMode: where.owner ? `container:${where.owner.id}` : networks[home],
        limits: isServer(component) ? settings.application : settings.hop,
        ...defined({ cpus: cpusOf(request.arms, component) }),
      }),
      networks: where.owner ? [] : others.map((node) => networks[node]),
      files: { ...workload.files, 'config.json': configText(config) },
      ...(program.kind === 'image' ? { readyPattern: /"event":\s*"ready"/ } : {}),
    })
    const owner = where.owner ?? started
    const address = owner.addresses[networks[home]]
    if (!address) throw new Error(`${component.name} has no address on ${networks[home]}`)
    const endpoints = Object.fromEntries(
      Object.entries(ports).map(([name, port]) => [name, { host: address, port }]),
    )
    const ready = async () => {
      if (program.kind === 'binary' && program.readyPath !== undefined)
        await awaitPage(endpoints.admin, program.readyPath, started, component.name)
    }
    await ready()
    const placed: Place = { deployed: { component, endpoints }, started, owner, address, ready }
    this.#places.set(component.name, placed)
    return placed
  }

  /** A container that speaks over its standard streams: the generator, or a relay. */
  #runBeside(what: 'generator' | 'relay', count: number, { networks, input, ...spec }: BesideSpec): Running {
    const { docker, scope } = this.#options
    return runInContainer({
      docker,
      spec: this.#specOf({
        component: { name: what, category: 'generator', node: 'client' },
        name: objectName(scope.runId, what, String(count)),
        ...spec,
      }),
      networks,
      ...defined({ input }),
      signal: scope.signal,
    })
  }

  #specOf({ component, ...spec }: Omit<ContainerSpec, 'labels'> & { component: Component }): ContainerSpec {
    const { settings, scope } = this.#options
    const node = component.node === 'control-plane' ? 'server' : component.node
    return {
      ...spec,
      ...defined({ cpuset: settings.cpusets[node] }),
      labels: { ...runLabels(scope.runId), [componentLabel]: component.name, [nodeLabel]: node },
    }
  }

  #armOf(armId: string | undefined): Arm | undefined {
    return this.#options.request.arms.find(({ id }) => id === armId)
  }

  #pathOf(arm: Arm): Path | undefined {
    return this.#options.request.paths.find(({ name }) => name === arm.path)
  }

  #find(component: string): Place {
    const found = this.#places.get(component)
    if (!found) throw new Error(`no component named ${component} is running`)
    return found
  }

  /** The component behind an endpoint: ports are unique, addresses are not when networks are shared. */
  #behind({ host, port }: Endpoint): Place {
    const found = [...this.#places.values()].find(({ deployed }) =>
      Object.values(deployed.endpoints).some((endpoint) => endpoint.port === port),
    )
    if (!found) throw new Error(`nothing listens at ${host}:${port}`)
    return found
  }
}

/** It answers requests, where all others carry them. */
const isServer = ({ category }: Component) => category === 'application' || category === 'called-service'

interface BesideSpec extends Omit<ContainerSpec, 'labels' | 'name'> {
  readonly networks: readonly string[]
  readonly input?: string
}

/** Waits until a page answers 200. Throws `NotReadyError` when the container dies or the time is up. */
async function awaitPage(
  admin: Endpoint | undefined,
  path: string,
  started: StartedContainer,
  name: string,
): Promise<void> {
  if (!admin) throw new Error(`${name} has no admin listener`)
  const deadline = Date.now() + readyTimeoutMs
  for (;;) {
    const answered = await fetchText(admin, path).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    )
    if (answered === undefined) return
    const { failure } = started
    if (failure || Date.now() > deadline) {
      throw new NotReadyError(
        `${name} did not become ready: ${failure?.message ?? answered}`,
        failure?.detail ?? '',
      )
    }
    await sleep(100)
  }
}

/** As those see it that share its network. */
function overLoopback(deployed: Deployed): Deployed {
  const endpoints = Object.entries(deployed.endpoints).map(([name, { port }]) => [
    name,
    { host: '127.0.0.1', port },
  ])
  return { ...deployed, endpoints: Object.fromEntries(endpoints) as Deployed['endpoints'] }
}
