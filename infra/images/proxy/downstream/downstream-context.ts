/** What a downstream connection knows of its listener and of the proxy. */
import type { Cell } from '../../kit/process/metrics.js'
import type { Client, Clock } from '../exchange/sides.js'
import type { Runtime } from '../runtime.js'

export interface DownstreamContext extends Client {
  readonly scheme: 'http' | 'https'
  /** Value of x-forwarded-client-cert for this connection's requests. */
  readonly clientCert: string | undefined
  /** What the client says under that name is forwarded. */
  readonly keepsClientCert: boolean
  readonly receivedBytes: Cell
  readonly sentBytes: Cell
  readonly clock: Clock
  /** The config in force: each request asks anew. */
  runtime(): Runtime
  isDraining(): boolean
}
