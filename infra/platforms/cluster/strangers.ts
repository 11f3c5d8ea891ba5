/** Pods that are nobody's peer, for proofs: one that no mesh knows of, and one that is in the mesh as somebody else. */
import type { Arm } from '../../../harness/model.js'
import { idleScript } from '../kit/remote-scripts.js'
import { execArguments } from './api/pod-exec.js'
import { proberName } from './api/reach.js'
import { podShape, podsOf, workloadOf, type HostParts } from './parts.js'
import { workloadManifest } from './render/manifests.js'
import { dnsLabel } from './render/names.js'
import { clientContainer } from './render/templates.js'

/** Name and container of a pod that is in the mesh, and nobody's peer. */
const strangerName = 'stranger'
const strangerTimeoutMs = 30_000

export class Strangers {
  readonly #parts: HostParts

  constructor(parts: HostParts) {
    this.#parts = parts
  }

  /** A pod on the client's node that no mesh knows of. */
  async createProber(): Promise<{ readonly namespace: string }> {
    const { options, namespaces, rollout } = this.#parts
    const namespace = dnsLabel(options.namespacePrefix, proberName)
    await namespaces.create(namespace)
    const prober = workloadOf(
      options,
      { namespace },
      {
        kind: 'Deployment',
        name: proberName,
        node: 'client',
        labels: { app: proberName },
        serviceAccount: 'client',
        containers: [{ ...this.#container(proberName), command: idleScript() }],
        volumes: [],
      },
    )
    await rollout.apply(proberName, [workloadManifest(prober)])
    await rollout.ready(proberName, { namespace, selector: `app=${proberName}`, role: 'client' })
    return { namespace }
  }

  /** Output of a command in a pod that is in the mesh as the arm's client is, but under another service account. */
  async run(arm: Arm, argv: readonly string[]): Promise<string> {
    const { options, arms, rollout } = this.#parts
    const { kubectl } = options
    const state = arms.of(arm)
    const { namespace } = state
    const title = `stranger of ${arm.id}`
    const stranger = workloadOf(options, state, {
      kind: 'Deployment',
      name: strangerName,
      node: 'client',
      labels: { app: strangerName },
      serviceAccount: 'hop',
      containers: [this.#container(strangerName)],
      volumes: [],
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

  #container(name: string) {
    const { images, limits } = this.#parts.options
    return { ...clientContainer(images, limits.generator), name }
  }
}
