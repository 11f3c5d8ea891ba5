/** Reaches into pods from outside of the cluster: admin pages of components, and raw bytes to a port for proofs. */
import type { Duplex } from 'node:stream'
import type { Endpoint } from '../../../../harness/model.js'
import { fetchScript, relayScript, relayed } from '../../kit/remote-scripts.js'
import { ApiError, type ApiProxy } from './api-proxy.js'
import type { Components } from '../usage/components.js'
import type { Kubectl } from './kubectl.js'
import { execArguments } from './pod-exec.js'
import type { Pod, PodWatch } from './pods.js'

const timeoutMs = 20_000

export interface ReachOptions {
  readonly kubectl: Kubectl
  readonly proxy: ApiProxy
  readonly pods: PodWatch
  readonly components: Components
  /** Creates a pod on the client's node that no mesh knows of; it has the label `app=prober`. */
  readonly createProber: () => Promise<{ readonly namespace: string }>
}

/** Label and container of the pod that `connect` connects from. */
export const proberName = 'prober'

export class Reach {
  readonly #options: ReachOptions
  readonly #adminPorts = new Map<string, number>()
  readonly #refused = new Set<string>()
  #prober: Promise<{ readonly namespace: string }> | undefined

  constructor(options: ReachOptions) {
    this.#options = options
  }

  setAdminPort(component: string, port: number | undefined): void {
    if (port !== undefined) this.#adminPorts.set(component, port)
  }

  /**
   * Body of a GET to a component's admin listener, through the API server or, where that is refused, from its pod. Of a
   * component with several pods, the pages of all one after another: counters are sums over a page's series.
   */
  async fetchAdmin(component: string, path: string): Promise<string> {
    const pods = this.#options.components.podsOf(component)
    if (pods.length === 0) throw new Error(`${component}: its pod is gone`)
    const pages = await Promise.all(pods.map((pod) => this.#fetchFrom(component, pod, path)))
    return pages.length === 1 ? (pages[0] ?? '') : pages.map((page) => `${page.trimEnd()}\n`).join('')
  }

  async #fetchFrom(component: string, pod: Pod, path: string): Promise<string> {
    const port = this.#adminPorts.get(component)
    if (port === undefined) throw new Error(`${component} has no admin listener`)
    const { components, proxy } = this.#options
    const { namespace, container = '' } = components.selectorOf(component)
    if (!this.#refused.has(component)) {
      try {
        const target = `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}:${port}/proxy`
        return await proxy.get(`${target}${path}`)
      } catch (error) {
        // A mesh that takes nothing but mutual TLS refuses the API server, too; from within the pod it is not asked.
        if (!(error instanceof ApiError) || error.status < 500) throw error
        this.#refused.add(component)
      }
    }
    const where = { namespace, pod: pod.metadata.name, container }
    const script = fetchScript('127.0.0.1', port, path)
    return this.#options.kubectl.run(execArguments(where, { argv: script }), { timeoutMs })
  }

  /** Creates the prober ahead, without waiting for it; what goes wrong is told to who needs it. */
  prepare(): void {
    this.#proberReady().catch(() => {})
  }

  #proberReady(): Promise<{ readonly namespace: string }> {
    return (this.#prober ??= this.#options.createProber())
  }

  connect(endpoint: Endpoint): Duplex {
    const start = async () => {
      const { kubectl, pods } = this.#options
      const { namespace } = await this.#proberReady()
      const pod = pods
        .find(namespace, `app=${proberName}`)
        .find(({ metadata }) => metadata.deletionTimestamp === undefined)
      if (!pod) throw new Error(`no pod of ${proberName} in ${namespace}`)
      const where = { namespace, pod: pod.metadata.name, container: proberName }
      return kubectl.start(execArguments(where, { argv: relayScript(endpoint) }))
    }
    return relayed(start())
  }
}
