/** Starts one workload as a container, waits until it is ready, and notices when it dies. */
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import { GenericContainer, Wait } from 'testcontainers'
import { defined } from '../../../harness/model/defined.js'
import { messageOf } from '../../../harness/model/errors.js'
import type { Change, TrialError, UsageReading } from '../../../harness/model.js'
import { NotReadyError } from '../local/process.js'
import { tarStream, type TarEntry } from '../../supply/container-images/tar.js'
import { configFolder, containerOptions, type ContainerSpec } from './container-options.js'
import { withEarlier } from '../kit/cgroup.js'
import { findCgroup, readContainer } from './usage.js'

export const readyTimeoutMs = 30_000
const tailLines = 60
/** How often a container's output is looked at until it says that it is ready. */
const lookIntervalMs = 20
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
  /** Address on each network, by network name; empty when it shares another's network. */
  readonly addresses: Readonly<Record<string, string>>
  /** What it has used in all its lives. Rejects when it has ended. */
  read(): Promise<UsageReading>
  readonly failure: TrialError | undefined
  /** Resolves when it is done: what was ended is gone, what was started is ready. */
  change(change: Change): Promise<void>
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
  const life = watchLife(container, spec.name, () => tail.join('\n'))
  let cgroup = findCgroup(id, state.Pid)
  const earlier: UsageReading[] = []
  return {
    id,
    addresses,
    read: async () => withEarlier(await readContainer(container, cgroup), earlier),
    get failure() {
      return life.failure
    },
    async change(change) {
      if (change.do !== 'start') {
        // What comes back is given a cgroup that counts from 0.
        const lives = ['kill', 'stop'].includes(change.do) && !life.failure
        if (lives) earlier.push(await readContainer(container, cgroup))
        await end(container, change)
        // What starts it again asks whether it has ended, which its watcher learns a moment later.
        if (lives) await life.over
        return
      }
      if (!life.failure) return
      await startAgain(container, life, {
        ...defined({ readyPattern: options.readyPattern }),
        onStarted({ State: now, NetworkSettings: settings }) {
          cgroup = findCgroup(id, now.Pid)
          const moved = Object.entries(addresses).find(
            ([name, was]) => settings.Networks[name]?.IPAddress !== was,
          )
          if (moved)
            throw new Error(`${spec.name} came back at another address on ${moved[0]}: its own was taken`)
        },
      })
    },
    expectEnd: () => life.expectEnd(),
  }
}

type Life = ReturnType<typeof watchLife>

/** Notices when a container dies, in each of its lives; the first has begun. */
function watchLife(container: Docker.Container, name: string, tail: () => string) {
  let failure: TrialError | undefined
  let expected = false
  let lives = 0
  let over: Promise<void> = Promise.resolve()
  const begin = () => {
    const life = ++lives
    failure = undefined
    over = container.wait().then(
      async ({ StatusCode: code }: { StatusCode: number }) => {
        if (expected || life !== lives) return
        const oom = await container.inspect().then(
          ({ State: last }) => last.OOMKilled,
          () => false,
        )
        const how = oom ? 'was killed: out of memory' : `exited with code ${code}`
        failure = { kind: 'hop-died', message: `${name} ${how}`, detail: tail() }
      },
      (error: unknown) => {
        if (!expected) failure = { kind: 'engine-lost', message: `${name}: ${messageOf(error)}` }
      },
    )
  }
  begin()
  return {
    get failure() {
      return failure
    },
    /** Resolves when the end of its present life is told of. */
    get over() {
      return over
    },
    begin,
    expectEnd: () => (expected = true),
  }
}

/** Seconds that a container has for its drain when it is asked to end. */
const stopTimeoutS = 3

/** Ends it, or makes it stand still, and resolves when that is so. */
async function end(container: Docker.Container, { do: what }: Change): Promise<void> {
  switch (what) {
    case 'kill':
      await resume(container)
      await container.kill()
      await container.wait()
      return
    case 'stop':
      await resume(container)
      await container.stop({ t: stopTimeoutS })
      return
    case 'pause':
      await container.pause()
      return
    case 'resume':
      await resume(container)
      return
    default:
      throw new Error(
        `a container cannot do this: ${what}; it has an address and a name that no second one can have`,
      )
  }
}

/** One that stands still would not hear a signal. */
async function resume(container: Docker.Container): Promise<void> {
  const { State: state } = await container.inspect()
  if (state.Paused) await container.unpause()
}

interface StartAgainOptions {
  readonly readyPattern?: RegExp
  readonly onStarted: (now: Docker.ContainerInspectInfo) => void
}

/**
 * Resolves when it has said that it is ready in its new life, which begins where the last one ended by the engine's clock: this
 * machine's may be another, and its last life may have said the same within this second.
 */
export async function startAgain(
  container: Docker.Container,
  life: Pick<Life, 'begin' | 'failure'>,
  { readyPattern, onStarted }: StartAgainOptions,
): Promise<void> {
  const { State: last } = await container.inspect()
  await container.start()
  life.begin()
  onStarted(await container.inspect())
  const since = Date.parse(last.FinishedAt) / 1000
  if (readyPattern) await awaitOutput(container, readyPattern, { since, life })
}

async function awaitOutput(
  container: Docker.Container,
  pattern: RegExp,
  { since, life }: { readonly since: number; readonly life: Pick<Life, 'failure'> },
): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs
  while (!life.failure && Date.now() < deadline) {
    const output = await container.logs({ stdout: true, stderr: true, since })
    if (pattern.test(output.toString('utf8'))) return
    await sleep(lookIntervalMs)
  }
  throw new NotReadyError(`it was not ready again: ${life.failure?.message ?? 'the time is up'}`, '')
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
