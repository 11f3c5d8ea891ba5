/** Reads what an Envoy hop carried from its admin statistics, so that its path is proved as any other's. */
import type { HopCounters } from '../../../harness/model.js'
import { isConnect, securityOf } from '../../../harness/model/paths.js'
import type { HopSpec } from '../hops/hop-mesh.js'
import { names } from './roles.js'

/** Only what is read below: Envoy has some thousand statistics, and writing them all costs CPU that would be billed. */
const wanted = [
  `http\\.(${names.l7}|${names.hbone})\\.downstream_(cx_total|rq_total|cx_rx_bytes_total|cx_tx_bytes_total)`,
  `cluster\\.(${names.next}|${names.service})(_share_[0-9]+)?\\.(upstream_(cx_total|rq_total|cx_rx_bytes_total|cx_tx_bytes_total)|ssl\\.handshake)`,
  `listener\\.${names.downstream}\\.(downstream_cx_total|ssl\\.handshake)`,
  `tcp\\.${names.downstream}\\.downstream_(cx_total|cx_rx_bytes_total|cx_tx_bytes_total)`,
]

export const statsPath = `/stats?filter=${encodeURIComponent(`^(${wanted.join('|')})$`)}`

/** Lines of `name: value`. Throws for anything else, so that an error page never reads as no traffic. */
export function parseStats(text: string): ReadonlyMap<string, number> {
  const stats = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const match = /^([A-Za-z0-9_.:-]+): (\d+)$/.exec(line)
    if (!match) throw new Error(`not an Envoy statistic: ${line.slice(0, 120)}`)
    stats.set(match[1] ?? '', Number(match[2]))
  }
  return stats
}

/**
 * Counters as the reference mesh's hops count them: a stream inside HBONE counts as a downstream connection where HBONE
 * ends. `peers` are the identities that the TLS contexts demand, told once a handshake has been completed: Envoy refuses
 * all others and keeps no list of its own.
 */
export function envoyCounters(text: string, spec: HopSpec): HopCounters {
  const stats = parseStats(text)
  // A cluster's statistic is the sum over the shares of a split.
  const read = (name: string) => {
    const [, cluster, rest] = /^cluster\.(\w+)(\..+)$/.exec(name) ?? []
    if (cluster === undefined || rest === undefined) return stats.get(name) ?? 0
    const isOf = (key: string) =>
      key === name || (key.startsWith(`cluster.${cluster}_share_`) && key.endsWith(rest))
    return [...stats].filter(([key]) => isOf(key)).reduce((sum, [, value]) => sum + value, 0)
  }
  const { hop, downstreamLeg, upstreamLeg, before, after } = spec
  const l7 = hop.layer === 'l7'
  const endsHbone = isConnect(downstreamLeg)
  const upstream = after ? names.next : names.service
  const tlsHandshakesServer = read(`listener.${names.downstream}.ssl.handshake`)
  const tlsHandshakesClient = read(`cluster.${names.next}.ssl.handshake`)
  const peers = [
    ...(tlsHandshakesServer > 0 && before && securityOf(downstreamLeg) === 'mtls' ? [before.spiffeId] : []),
    ...(tlsHandshakesClient > 0 && after ? [after.spiffeId] : []),
  ]
  const streamsIn = endsHbone ? read(`http.${names.hbone}.downstream_rq_total`) : 0
  const streamsOut = isConnect(upstreamLeg) ? read(`cluster.${names.next}.upstream_rq_total`) : 0
  return {
    ...(l7 ? { requests: read(`http.${names.l7}.downstream_rq_total`) } : {}),
    downstreamConnections: endsHbone ? streamsIn : read(`listener.${names.downstream}.downstream_cx_total`),
    upstreamConnections: read(`cluster.${upstream}.upstream_cx_total`),
    hboneStreams: streamsIn + streamsOut,
    tlsHandshakesServer,
    tlsHandshakesClient,
    ...downstreamBytes(read, { l7, endsHbone }),
    ...(peers.length === 0 ? {} : { peers: peers.sort() }),
  }
}

/** Bytes inside TLS and HBONE: HTTP messages at an L7 hop, the connection's bytes at an L4 hop. */
function downstreamBytes(
  read: (name: string) => number,
  { l7, endsHbone }: { l7: boolean; endsHbone: boolean },
): HopCounters {
  if (!l7 && endsHbone) {
    // Where HBONE ends, the payload is counted only on the side of the application.
    return {
      receivedBytes: read(`cluster.${names.service}.upstream_cx_tx_bytes_total`),
      sentBytes: read(`cluster.${names.service}.upstream_cx_rx_bytes_total`),
    }
  }
  const prefix = l7 ? `http.${names.l7}` : `tcp.${names.downstream}`
  return {
    receivedBytes: read(`${prefix}.downstream_cx_rx_bytes_total`),
    sentBytes: read(`${prefix}.downstream_cx_tx_bytes_total`),
  }
}
