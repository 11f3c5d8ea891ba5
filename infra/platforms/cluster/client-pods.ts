/** The pods that drive each arm's load: they idle until a trial runs its generator in them. */
import type { Arm, Command, Running } from '../../../harness/model.js'
import type { Pod } from './api/pods.js'
import { runInPod } from './api/pod-exec.js'
import type { ArmState } from './arms.js'
import { runTogether, splitLoad } from './generators.js'
import { podShape, podsOf, workloadOf, type HostParts } from './parts.js'
import { workloadManifest } from './render/manifests.js'
import { clientContainer, type RenderedWorkload } from './render/templates.js'

export class ClientPods {
  readonly #parts: HostParts

  constructor(parts: HostParts) {
    this.#parts = parts
  }

  /** The arm's clients, without a sidecar of ours unless they have one already; made once. */
  ensure(state: ArmState): Promise<void> {
    return (state.clientReady ??= this.#create(state))
  }

  /** The arm's clients, with the sidecar that they have waited for. */
  createWith(state: ArmState, sidecar: RenderedWorkload): Promise<void> {
    return (state.clientReady = this.#create(state, sidecar))
  }

  async #create(state: ArmState, sidecar?: RenderedWorkload): Promise<void> {
    const { options, rollout, namespaces } = this.#parts
    await namespaces.ensure(state)
    const client = clientContainer(options.images, options.limits.generator)
    const pod = workloadOf(options, state, {
      kind: 'Deployment',
      name: 'client',
      node: 'client',
      labels: { app: 'client' },
      replicas: options.generatorPods,
      serviceAccount: 'client',
      containers: sidecar ? [client, sidecar.container] : [client],
      volumes: sidecar?.volumes ?? [],
      ...podShape(state, 'clientPod'),
    })
    await rollout.apply(`client of ${state.arm.id}`, [...(sidecar?.objects ?? []), workloadManifest(pod)])
    await this.#ready(state)
  }

  #ready(state: ArmState): Promise<readonly Pod[]> {
    const { options, rollout } = this.#parts
    return rollout.readyAll(`client of ${state.arm.id}`, podsOf(state, 'client'), options.generatorPods)
  }

  /** Runs a command in the arm's client; a load is shared by all of its clients. */
  exec(arm: Arm, command: Command): Running {
    const { options, arms } = this.#parts
    const state = arms.of(arm)
    const [program = '', ...args] = command.argv
    const isLoad = program === 'loadgen'
    const argv = isLoad ? ['node', '/app/loadgen.mjs', ...args] : command.argv
    // A client whose pod was replaced since the last trial is waited for.
    const ready = this.#ready(state)
    const inPod = (part: Command, index: number) => {
      const resolve = async () => {
        const pod = (await ready)[index]
        if (!pod) throw new Error(`${arm.id} has no client number ${index + 1}`)
        return { namespace: state.namespace, pod: pod.metadata.name, container: 'client' }
      }
      return runInPod(options.kubectl, resolve, part)
    }
    return runTogether(command, isLoad ? splitLoad(argv, options.generatorPods) : [argv], inPod)
  }
}
