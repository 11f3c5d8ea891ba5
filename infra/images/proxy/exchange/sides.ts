/** The two sides that an exchange joins, whatever their protocols, what either may tell it, and the time that they go by. */
import type { SpiffeId } from '../../kit/tls/spiffe.js'
import type { Fields, RequestHead, ResponseHead } from './message.js'
import type { Lease } from '../../kit/net/reads.js'

/** Coarse time, updated a few times a second, so that no request asks the system for it. */
export interface Clock {
  nowMs: number
}

/** `refused`: the upstream says that it has done nothing with the request, so that whatever it is may be sent again. */
export type FailureKind = 'connect' | 'reset' | 'refused' | 'protocol' | 'timeout'

/** A response's head, and what came with it of its body. */
export interface ResponseStart {
  readonly head: ResponseHead
  readonly buffer: Buffer
  /** Where in `buffer` the head lies as it came, right before the body; negative: it does not. */
  readonly headStart: number
  /** The body's first part is `buffer[bodyStart, bodyEnd)`. */
  readonly bodyStart: number
  readonly bodyEnd: number
  readonly lease: Lease
  /** Nothing follows, neither body nor trailers. */
  readonly ended: boolean
}

const nothing = Buffer.alloc(0)

/** A head that did not come as bytes of HTTP/1.1, with what there is of its body. */
export function responseStart(head: ResponseHead, ended: boolean, body: Buffer = nothing): ResponseStart {
  return { head, buffer: body, headStart: -1, bodyStart: 0, bodyEnd: body.length, lease: 'owned', ended }
}

export interface Client {
  readonly listener: string
  /** Who it proved to be. */
  readonly peer: SpiffeId | undefined
  /** IP address of the client, or of the hop before. */
  readonly address: string
}

export interface DownstreamSide {
  readonly protocol: 'http1' | 'h2'
  readonly client: Client
  /** Sends a 1xx response. False: the client is slow, `Exchange.onDownstreamDrain` follows. */
  inform(head: ResponseHead): boolean
  /** Sends the head and the first part of the body. False: the client is slow, `Exchange.onDownstreamDrain` follows. */
  respond(start: ResponseStart): boolean
  body(bytes: Buffer, lease: Lease): boolean
  finish(trailers: Fields | undefined): void
  /** The response cannot be completed: the client must not take it for whole. */
  cut(): void
  /** The exchange is over; the next request may start. */
  release(): void
  pauseRequest(): void
  resumeRequest(): void
  /** From now on bytes pass both ways as they are. */
  becomeTunnel(): void
  cork(): void
  uncork(): void
}

/** Whoever sends a request to an upstream: an exchange, or a request of the proxy's own. */
export interface UpstreamOwner {
  readonly isOver: boolean
  /** A connection that was waited for is there: `send` the request. */
  onUpstream(upstream: UpstreamSide): void
  onUpstreamDrain(): void
  onInform(head: ResponseHead): void
  /** The upstream switches protocols: from here on bytes pass both ways. */
  onSwitch(head: ResponseHead): void
  onResponse(start: ResponseStart): void
  onResponseBody(bytes: Buffer, lease: Lease): void
  onResponseEnd(trailers: Fields | undefined): void
  /** There will be no whole response. */
  onFailure(kind: FailureKind): void
  /** Several short writes follow. */
  cork(): void
  uncork(): void
}

export interface UpstreamSide {
  /** Sends the head and the first part of the body. False: `Exchange.onUpstreamDrain` follows. */
  send(head: RequestHead, body: Buffer | undefined, lease: Lease, ended: boolean): boolean
  body(bytes: Buffer, lease: Lease): boolean
  finish(trailers: Fields | undefined): void
  /** Nothing more is wanted of this attempt. */
  cut(): void
  pause(): void
  resume(): void
  /** True when the connection had served another request before: it may have been closed meanwhile. */
  readonly isReused: boolean
}
