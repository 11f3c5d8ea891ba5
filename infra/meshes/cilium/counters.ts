/** Reads what Cilium's shared Envoy counted of the traffic that policies sent through it. */
import type { HopCounters } from '../../../harness/model.js'
import { parsePrometheus, sumSamples } from '../../../harness/process/prometheus.js'

/** Listeners that policies make, and those that Gateways make for plain HTTP. */
const prefixes = { policy: 'proxy', gateway: 'listener-insecure' } as const

/**
 * Requests of a node's Envoy. Listeners of one origin share a stat prefix; Envoy's own metrics and health listeners
 * have others, and are left out. There is no label of a namespace: what arms share on a node cannot be told apart by
 * it, which `Component.process` says.
 */
export function readCiliumEnvoyCounters(text: string, origin: keyof typeof prefixes): HopCounters {
  const samples = parsePrometheus(text)
  return {
    requests: sumSamples(samples, 'envoy_http_downstream_rq_total', {
      envoy_http_conn_manager_prefix: prefixes[origin],
    }),
  }
}
