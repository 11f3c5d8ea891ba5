/** What a filter sees of an exchange, and what it may do to it. */
import type { SpiffeId } from '../../kit/tls/spiffe.js'
import type { Cluster, Endpoint } from '../upstream/cluster.js'
import type { Fields, RequestHead, ResponseHead } from './message.js'
import type { Reply } from './reply.js'
import type { FailureKind } from './sides.js'

export interface FilterExchange {
  readonly request: RequestHead
  readonly downstream: {
    readonly listener: string
    readonly peer: SpiffeId | undefined
    /** IP address of the client, or of the hop before. */
    readonly address: string
  }
  readonly cluster: Cluster | undefined
  readonly endpoint: Endpoint | undefined
  /** The head that was sent to the client. */
  readonly response: ResponseHead | undefined
  readonly trailers: Fields | undefined
  /** Tries at an upstream so far. */
  readonly attempts: number
  readonly requestBytes: number
  readonly responseBytes: number
  /** Why there was no good answer, for the access log. */
  readonly failure: string
  /** `performance.now()` at the start; 0 when no filter needs the time. */
  readonly startedAtMs: number
  /** The whole request body when it is at hand. */
  readonly wholeBody: Buffer | undefined
  /** Claims of a valid token. */
  claims: Readonly<Record<string, unknown>> | undefined
  /** Answers in the upstream's place. */
  reply(reply: Reply): void
  /** Ends the running attempt as failed; it may be retried. */
  failAttempt(kind: FailureKind): void
}
