/** The pods that drive each arm's load: they idle until a trial runs its generator in them. */
import type { Arm, Command, Running } from '../../../harness/model.js'
import type { Pod } from './api/pods.js'
import { runInPod } from './api/pod-exec.js'
import type { ArmState } from './arms.js'
import { runTogether, splitLoad } from './generators.js'
import { podShape, podsOf, workloadOf, type HostParts } from './parts.js'
import { workloadManifest } from './render/manifests.js'
import { clientContainer, type RenderedWorkload } from './render/templates.js'

/** The arm's clients, made once; those that have waited for a sidecar of ours are made with it. */
export function ensureClient(parts: HostParts, state: ArmState, sidecar?: RenderedWorkload): Promise<void> {
  if (sidecar || !state.clientReady) state.clientReady = create(parts, state, sidecar)
  return state.clientReady
}

async function create(parts: HostParts, state: ArmState, sidecar?: RenderedWorkload): Promise<void> {
  const { options, rollout, namespaces } = parts
  await namespaces.ensure(state)
  const client = clientContainer(options, 'client')
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
  await clientsReady(parts, state)
}

function clientsReady({ options, rollout }: HostParts, state: ArmState): Promise<readonly Pod[]> {
  return rollout.readyAll(`client of ${state.arm.id}`, podsOf(state, 'client'), options.generatorPods)
}

/** Runs a command in the arm's client; a load is shared by all of its clients. */
export function execInClient(parts: HostParts, arm: Arm, command: Command): Running {
  const { options, stateOf } = parts
  const state = stateOf(arm)
  const [program = '', ...args] = command.argv
  const isLoad = program === 'loadgen'
  const argv = isLoad ? ['node', '/app/loadgen.mjs', ...args] : command.argv
  // A client whose pod was replaced since the last trial is waited for.
  const ready = clientsReady(parts, state)
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
