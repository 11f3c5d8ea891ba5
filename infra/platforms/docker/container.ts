/** Starts one workload as a container, waits until it is ready, and notices when it dies. */
import type Docker from 'dockerode'
import { GenericContainer, Wait } from 'testcontainers'
import { messageOf } from '../../../harness/model/errors.js'
import type { TrialError } from '../../../harness/model.js'
import { NotReadyError } from '../local/process.js'
import { tarStream, type TarEntry } from '../../supply/container-images/tar.js'
import { configFolder, containerOptions, type ContainerSpec } from './container-options.js'
import { findCgroup } from './usage.js'
import type { CgroupPaths } from '../kit/cgroup.js'

export const readyTimeoutMs = 30_000
const tailLines = 60
/** The user that containers run as. */
const uid = 65532

export interface StartOptions {
  readonly docker: Docker
  readonly spec: ContainerSpec
  /** Networks beside the one of `spec.networkMode`. */
  readonly networks: readonly string[]
  /** File name → contents; put into `configFolder`, readable by the program's user alone. */
  readonly files: Readonly<Record<string, string>>
  /** What its output holds when it is ready; without it the caller finds out. */
  readonly readyPattern?: RegExp
}

/** A container that is up. `failure` is set once it has died. */
export interface StartedContainer {
  readonly id: string
  readonly container: Docker.Container
  /** Address on each network, by network name; empty when it shares another's network. */
  readonly addresses: Readonly<Record<string, string>>
  readonly cgroup: CgroupPaths | undefined
  readonly failure: TrialError | undefined
  /** It is about to be stopped on purpose. */
  expectEnd(): void
}

/** Throws `NotReadyError` with the end of its output. */
export async function startContainer(options: StartOptions): Promise<StartedContainer> {
  const { docker, spec } = options
  const tail: string[] = []
  const configured = new ConfinedContainer(options)
    .withWaitStrategy(
      options.readyPattern ? Wait.forLogMessage(options.readyPattern) : Wait.forListeningPorts(),
    )
    .withStartupTimeout(readyTimeoutMs)
    .withLogConsumer((stream) => {
      stream.on('data', (chunk: Buffer | string) => {
        tail.push(...chunk.toString().split('\n').filter(Boolean))
        tail.splice(0, tail.length - tailLines)
      })
    })
  const id = await configured.start().then(
    (started) => started.getId(),
    (error: unknown) => {
      throw new NotReadyError(`${spec.name} did not become ready: ${messageOf(error)}`, tail.join('\n'))
    },
  )
  const container = docker.getContainer(id)
  const { State: state, NetworkSettings: network } = await container.inspect()
  const addresses = Object.fromEntries(
    Object.entries(network.Networks).map(([name, { IPAddress: address }]) => [name, address]),
  )
  let failure: TrialError | undefined
  let ending = false
  void container.wait().then(
    async ({ StatusCode: code }: { StatusCode: number }) => {
      if (ending) return
      const oom = await container.inspect().then(
        ({ State: last }) => last.OOMKilled,
        () => false,
      )
      const how = oom ? 'was killed: out of memory' : `exited with code ${code}`
      failure = { kind: 'hop-died', message: `${spec.name} ${how}`, detail: tail.join('\n') }
    },
    (error: unknown) => {
      if (!ending) failure = { kind: 'engine-lost', message: `${spec.name}: ${messageOf(error)}` }
    },
  )
  return {
    id,
    container,
    addresses,
    cgroup: await findCgroup(id, state.Pid),
    get failure() {
      return failure
    },
    expectEnd: () => (ending = true),
  }
}

/** testcontainers has no options for a read-only root, CPU sets and second networks; its subclasses may set them. */
class ConfinedContainer extends GenericContainer {
  readonly #options: StartOptions

  constructor(options: StartOptions) {
    super(options.spec.image)
    this.#options = options
    const { HostConfig: hostConfig, ...createOptions } = containerOptions(options.spec)
    this.createOpts = createOptions
    this.hostConfig = { ...hostConfig }
    this.networkMode = options.spec.networkMode
    // Runs clean up after themselves by their own label, on every platform alike; no reaper is pulled.
    this.autoCleanup = false
    this.withCopyArchivesToContainer([{ tar: tarStream(fileEntries(options.files)), target: configFolder }])
  }

  protected override async containerCreated(id: string): Promise<void> {
    for (const name of this.#options.networks) {
      await this.#options.docker.getNetwork(name).connect({ Container: id })
    }
  }
}

function* fileEntries(files: Readonly<Record<string, string>>): Generator<TarEntry> {
  for (const [name, content] of Object.entries(files)) {
    yield { name, content, mode: 0o400, uid, gid: uid }
  }
}
