/** Pods that are nobody's peer, for proofs: one that no mesh knows of, and one that is in the mesh as somebody else. */
import type { Arm } from '../../../harness/model.js'
import { execArguments } from './api/pod-exec.js'
import { proberName } from './api/reach.js'
import { namespacePrefix, podShape, podsOf, workloadOf, type HostParts } from './parts.js'
import { workloadManifest } from './render/manifests.js'
import { dnsLabel } from './render/names.js'
import { clientContainer } from './render/templates.js'

/** Name and container of a pod that is in the mesh, and nobody's peer. */
const strangerName = 'stranger'
const strangerTimeoutMs = 30_000

/** What a client lives in, on its node, under a name of its own. */
const idleAtClient = (options: HostParts['options'], name: string, serviceAccount: string) => ({
  kind: 'Deployment' as const,
  name,
  node: 'client' as const,
  labels: { app: name },
  serviceAccount,
  containers: [clientContainer(options, name)],
  volumes: [],
})

/** A pod on the client's node that no mesh knows of, in a namespace of its own. */
export async function createProber(parts: HostParts): Promise<{ readonly namespace: string }> {
  const { options, namespaces, rollout } = parts
  const namespace = dnsLabel(namespacePrefix(options), proberName)
  await namespaces.create(namespace)
  const prober = workloadOf(options, { namespace }, idleAtClient(options, proberName, 'client'))
  await rollout.apply(proberName, [workloadManifest(prober)])
  await rollout.ready(proberName, { namespace, selector: `app=${proberName}`, role: 'client' })
  return { namespace }
}

/** Output of a command in a pod that is in the mesh as the arm's client is, but under another service account. */
export async function runAsStranger(parts: HostParts, arm: Arm, argv: readonly string[]): Promise<string> {
  const { options, stateOf, rollout } = parts
  const { kubectl } = options
  const state = stateOf(arm)
  const { namespace } = state
  const title = `stranger of ${arm.id}`
  const stranger = workloadOf(options, state, {
    ...idleAtClient(options, strangerName, 'hop'),
    ...podShape(state, 'clientPod'),
  })
  try {
    await rollout.apply(title, [workloadManifest(stranger)])
    const pod = await rollout.ready(title, podsOf(state, 'client', strangerName))
    const target = { namespace, pod: pod.metadata.name, container: strangerName }
    return await kubectl.run(execArguments(target, { argv }), { timeoutMs: strangerTimeoutMs })
  } finally {
    // Before anything is measured: nobody would be billed for it.
    const gone = ['--ignore-not-found', '--cascade=foreground', '--wait=true', '--timeout=60s']
    const remove = ['delete', 'deployment', strangerName, '-n', namespace, ...gone]
    await kubectl.run(remove, { timeoutMs: 75_000 })
  }
}
