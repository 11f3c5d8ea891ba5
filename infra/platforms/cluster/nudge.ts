/** Makes kubelets look at pods now: they look again at a pod that is not as it should be only seconds later, or a minute. */
import type { ApiProxy } from './api/api-proxy.js'
import type { Pod } from './api/pods.js'

const intervalMs = 1_000
const lookLabel = 'meshbench.look'

/** Once a second, until the function that it returns is called. A changed annotation makes a kubelet look at once. */
export function nudge(proxy: Pick<ApiProxy, 'patch'>, waiting: () => readonly Pod[]): () => void {
  let busy = false
  const timer = setInterval(() => {
    const pods = waiting()
    if (busy || pods.length === 0) return
    busy = true
    const change = { metadata: { annotations: { [lookLabel]: String(Date.now()) } } }
    const nudged = pods.map(({ metadata: { namespace, name } }) =>
      proxy.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, change),
    )
    // It only saves time.
    void Promise.allSettled(nudged).finally(() => (busy = false))
  }, intervalMs)
  return () => clearInterval(timer)
}
