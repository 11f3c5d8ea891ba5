/** The words of HBONE that client and server share: HTTP/2 CONNECT over mutual TLS 1.3, as ztunnel speaks it. */

import type { Security } from '../process/config.js'

export const hboneAlpn = 'h2'

/** Why a stream could not be had; the reason is the label of the metric. */
export class HboneError extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.name = 'HboneError'
    this.reason = reason
  }
}

/** Where a stream goes: what it asks for, which hop it asks, and whom that hop has to be. */
export interface HboneDestination {
  /** `:authority` of the CONNECT request, `host:port`. */
  readonly authority: string
  /** The peer hop's HBONE listener. */
  readonly via: { readonly host: string; readonly port: number }
  /** TLS server name, for a listener that serves several workloads. HBONE as ztunnel speaks it sends none. */
  readonly serverName?: string | undefined
  /** SPIFFE ids that the peer may have; empty: any of the trust domain. */
  readonly expect: readonly string[]
  /** Absent: `mtls`, which HBONE demands. */
  readonly security?: Security | undefined
}
