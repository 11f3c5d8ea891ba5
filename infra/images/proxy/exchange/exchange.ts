/** One request and its answer on the way through the proxy: filters, attempts at upstreams, back-pressure, failure. */
import type { Cluster, Endpoint } from '../upstream/cluster.js'
import { type AttemptOutcome, type FilterExchange, pickEndpoint } from './filter.js'
import { countsHops, spendForward } from './max-forwards.js'
import { type Fields, type RequestHead, type ResponseHead } from './message.js'
import { type Reply, asksForGrpc, grpcReply, httpReply } from './reply.js'
import { Pieces } from '../../kit/net/pieces.js'
import type { Runtime } from '../runtime.js'
import type { UpstreamPool } from '../upstream/pool.js'
import {
  type Client,
  type DownstreamSide,
  type FailureKind,
  responseStart,
  type ResponseStart,
  type UpstreamOwner,
  type UpstreamSide,
} from './sides.js'
import type { Lease } from '../../kit/net/reads.js'

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])
const maxStaleAttempts = 3
const statusOfFailure: Readonly<Record<FailureKind, number>> = {
  timeout: 504,
  connect: 503,
  refused: 503,
  reset: 502,
  protocol: 502,
}
const nothing = Buffer.alloc(0)

export class Exchange implements UpstreamOwner, FilterExchange {
  readonly runtime: Runtime
  readonly downstream: DownstreamSide
  readonly request: RequestHead
  cluster: Cluster | undefined
  endpoint: Endpoint | undefined
  response: ResponseHead | undefined
  attempts = 0
  requestBytes = 0
  responseBytes = 0
  trailers: Fields | undefined
  failure = ''
  startedAtMs = 0
  claims: Readonly<Record<string, unknown>> | undefined
  isOver = false
  requestEnded = false

  #upstream: UpstreamSide | undefined
  #waiting: UpstreamPool | undefined
  #sent = false
  #attemptOpen = false
  #staleAttempts = 0
  #held: Pieces | undefined
  /** The body is kept for another try, as long as it is small enough. */
  #keepBody: boolean
  #bodyLost = false
  #requestPaused = false
  #responsePaused = false
  #retryTimer: NodeJS.Timeout | undefined

  constructor(runtime: Runtime, downstream: DownstreamSide, request: RequestHead) {
    this.runtime = runtime
    this.downstream = downstream
    this.request = request
    this.#keepBody = runtime.chain.keepsBody
    if (runtime.chain.needsTime) this.startedAtMs = performance.now()
  }

  /** Starts with what is there of the body. */
  start(buffer: Buffer, from: number, to: number, lease: Lease, ended: boolean): void {
    this.requestEnded = ended
    if (this.runtime.chain.request.length === 0 && !this.#keepBody) {
      this.#route(buffer, from, to, lease)
      return
    }
    if (to > from) this.#hold(buffer.subarray(from, to))
    this.#runFilters(0)
  }

  /** False: stop reading the request until `resumeRequest`. */
  onRequestBody(bytes: Buffer, lease: Lease): boolean {
    if (this.isOver) return true
    const isReady = this.#sent && this.#upstream !== undefined
    if (!isReady || this.#keepBody) {
      this.#hold(bytes)
      if (isReady) this.#forgetLargeBody()
    } else {
      this.requestBytes += bytes.length
    }
    const goOn = isReady
      ? (this.#upstream as UpstreamSide).body(bytes, lease)
      : (this.#held?.length ?? 0) < this.runtime.limits.bufferBytes
    if (!goOn) this.#requestPaused = true
    return goOn
  }

  onRequestEnd(trailers: Fields | undefined): void {
    if (this.requestEnded) return
    this.requestEnded = true
    this.trailers = trailers
    if (this.#sent && !this.isOver) this.#upstream?.finish(trailers)
  }

  /** The client is gone, or sent what cannot be forwarded. */
  onDownstreamGone(): void {
    if (this.isOver) return
    this.failure = 'client-gone'
    this.#dropUpstream('cancelled')
    this.#finish()
  }

  onDownstreamDrain(): void {
    if (!this.#responsePaused) return
    this.#responsePaused = false
    this.#upstream?.resume()
  }

  onUpstreamDrain(): void {
    if (!this.#requestPaused) return
    this.#requestPaused = false
    this.downstream.resumeRequest()
  }

  cork(): void {
    this.downstream.cork()
  }

  uncork(): void {
    this.downstream.uncork()
  }

  onUpstream(upstream: UpstreamSide): void {
    this.#waiting = undefined
    this.#upstream = upstream
    this.#send(nothing, 0, 0, 'owned')
  }

  onInform(head: ResponseHead): void {
    if (this.isOver || this.response !== undefined) return
    // An upstream may inform without end, and a client need not read.
    if (!this.downstream.inform(head)) this.#pauseResponse()
  }

  onSwitch(head: ResponseHead): void {
    if (this.isOver) return
    this.response = head
    this.requestEnded = false
    this.#keepBody = false
    for (const filter of this.runtime.chain.response) filter.response(this, head)
    this.runtime.countRequest(101)
    this.downstream.respond(responseStart(head, false))
    this.downstream.becomeTunnel()
  }

  onResponse(start: ResponseStart): void {
    if (this.isOver) return
    const { head, ended } = start
    const { chain } = this.runtime
    if (chain.retry.length > 0) {
      const delayMs = this.#retryDelay({ kind: 'response', status: head.status })
      if (delayMs !== undefined) {
        if (ended) this.#endAttempt({ kind: 'response', status: head.status })
        else this.#dropUpstream('response', head.status)
        this.#again(delayMs)
        return
      }
    }
    for (const filter of chain.response) filter.response(this, head)
    this.response = head
    if (this.#keepBody && !chain.keepsBody) {
      this.#keepBody = false
      this.#held = undefined
    }
    this.responseBytes += start.bodyEnd - start.bodyStart
    this.runtime.countRequest(head.status)
    const goOn = this.downstream.respond(start)
    if (ended) this.#complete()
    else if (!goOn) this.#pauseResponse()
  }

  onResponseBody(bytes: Buffer, lease: Lease): void {
    if (this.isOver) return
    this.responseBytes += bytes.length
    if (!this.downstream.body(bytes, lease)) this.#pauseResponse()
  }

  onResponseEnd(trailers: Fields | undefined): void {
    if (this.isOver) return
    this.downstream.finish(trailers)
    this.#complete()
  }

  onFailure(kind: FailureKind): void {
    if (this.isOver) return
    const stale = kind === 'reset' && this.#upstream?.isReused === true
    this.#upstream = undefined
    this.#waiting = undefined
    this.#endAttempt({ kind, status: 0 })
    if (this.response !== undefined) {
      this.failure = kind
      this.downstream.cut()
      this.#finish()
      return
    }
    // A kept connection may be closed by its server at the very moment of its reuse; what may be sent twice, is. What a
    // server has not begun with may always be (RFC 9113 §8.7).
    const mayRepeat = kind === 'refused' || (stale && idempotent.has(this.request.method))
    if (mayRepeat && this.#canReplay && this.#staleAttempts < maxStaleAttempts) {
      this.#staleAttempts++
      this.#again(0)
      return
    }
    const delayMs = this.runtime.chain.retry.length > 0 ? this.#retryDelay({ kind, status: 0 }) : undefined
    if (delayMs !== undefined) this.#again(delayMs)
    else this.reply({ status: statusOfFailure[kind], reason: `upstream-${kind}` })
  }

  reply(reply: Reply): void {
    if (this.isOver) return
    this.#dropUpstream('cancelled')
    if (this.response !== undefined) {
      this.failure = reply.reason
      this.downstream.cut()
      this.#finish()
      return
    }
    this.failure = reply.reason
    const isGrpc = this.downstream.protocol === 'h2' && asksForGrpc(this.request)
    const { head, body } = isGrpc ? grpcReply(reply) : httpReply(reply)
    for (const filter of this.runtime.chain.response) filter.response(this, head)
    this.response = head
    this.responseBytes = body.length
    this.runtime.countRequest(head.status)
    this.downstream.respond(responseStart(head, true, body))
    this.#finish()
  }

  failAttempt(kind: FailureKind): void {
    const upstream = this.#upstream
    this.#waiting?.forget(this)
    this.#upstream = undefined
    upstream?.cut()
    this.onFailure(kind)
  }

  get client(): Client {
    return this.downstream.client
  }

  get wholeBody(): Buffer | undefined {
    if (!this.requestEnded || this.#bodyLost) return undefined
    return this.#held?.join() ?? nothing
  }

  get #canReplay(): boolean {
    return !this.#bodyLost && (this.#keepBody || this.requestBytes === 0)
  }

  #runFilters(from: number): void {
    const { request } = this.runtime.chain
    for (let i = from; i < request.length; i++) {
      const result = (request[i] as (typeof request)[number]).request(this)
      if (result === undefined) continue
      if (!(result instanceof Promise)) {
        this.reply(result)
        return
      }
      result.then(
        (reply) => {
          if (this.isOver) return
          if (reply === undefined) this.#runFilters(i + 1)
          else this.reply(reply)
        },
        (error: unknown) => {
          this.runtime.log('filter-failed', { error: String(error) })
          this.reply({ status: 500, reason: 'filter-failed' })
        },
      )
      return
    }
    this.#route()
  }

  #route(buffer: Buffer = nothing, from = 0, to = 0, lease: Lease = 'owned'): void {
    const lastHop = countsHops(this.request.method) ? spendForward(this.request) : undefined
    this.cluster = lastHop === undefined ? this.runtime.route(this.request) : undefined
    if (this.cluster === undefined) this.reply(lastHop ?? { status: 404, reason: 'no-route' })
    else this.#attempt(buffer, from, to, lease)
  }

  #attempt(buffer: Buffer = nothing, from = 0, to = 0, lease: Lease = 'owned'): void {
    const cluster = this.cluster as Cluster
    this.attempts++
    const isHttp2 = cluster.protocolFor(this.downstream.protocol) === 'h2'
    // An HTTP/2 server may refuse what it was sent, and ask for it again.
    if (isHttp2 && !this.#bodyLost && !(this.requestEnded && this.requestBytes === 0)) this.#keepBody = true
    for (const filter of this.runtime.chain.attempt) {
      const refusal = filter.attempt(this)
      if (refusal !== undefined) {
        this.reply(refusal)
        return
      }
    }
    const endpoint = pickEndpoint(this.runtime.chain, this, cluster)
    if (endpoint === undefined) {
      this.reply({ status: 503, reason: 'no-healthy-upstream' })
      return
    }
    // Only HTTP/1.0 knows requests that name no host (RFC 9113 §8.3.1).
    if (isHttp2 && this.request.authority === '') this.request.authority = endpoint.name
    this.endpoint = endpoint
    endpoint.active++
    this.#attemptOpen = true
    this.#sent = false
    const pool = endpoint.pools[this.downstream.protocol]
    const upstream = pool.acquire(this, this.#staleAttempts > 0)
    if (upstream !== undefined && upstream !== 'overflow') {
      this.#upstream = upstream
      this.#send(buffer, from, to, lease)
      return
    }
    if (to > from) this.#hold(buffer.subarray(from, to))
    if (upstream === undefined) this.#waiting = pool
    else this.reply({ status: 503, reason: 'overflow' })
  }

  #send(buffer: Buffer, from: number, to: number, lease: Lease): void {
    const upstream = this.#upstream as UpstreamSide
    this.#sent = true
    const { trailers } = this
    const ended = this.requestEnded && trailers === undefined
    const held = this.#held
    let goOn: boolean
    if (held === undefined && this.#keepBody && to > from) {
      this.#hold(buffer.subarray(from, to))
      this.#forgetLargeBody()
      goOn = upstream.send(this.request, buffer.subarray(from, to), lease, ended)
    } else if (held === undefined) {
      this.requestBytes += to - from
      goOn = upstream.send(this.request, to > from ? buffer.subarray(from, to) : undefined, lease, ended)
    } else {
      const body = held.join()
      if (this.#keepBody) this.#forgetLargeBody()
      else this.#held = undefined
      goOn = upstream.send(this.request, body, 'owned', ended)
    }
    // The client has still not read what an attempt before informed it of.
    if (this.#responsePaused) upstream.pause()
    // The body was whole, with trailers, before the upstream was there.
    if (trailers !== undefined) upstream.finish(trailers)
    if (goOn) this.onUpstreamDrain()
    else this.#requestPaused = true
  }

  #hold(bytes: Buffer): void {
    this.requestBytes += bytes.length
    ;(this.#held ??= new Pieces()).keep(bytes)
  }

  #forgetLargeBody(): void {
    if ((this.#held?.length ?? 0) <= this.runtime.limits.bufferBytes) return
    this.#keepBody = false
    this.#bodyLost = true
    this.#held = undefined
  }

  #retryDelay(outcome: AttemptOutcome): number | undefined {
    if (!this.#canReplay) return undefined
    for (const filter of this.runtime.chain.retry) {
      const delayMs = filter.retry(this, outcome)
      if (delayMs !== undefined) return delayMs
    }
    return undefined
  }

  #again(delayMs: number): void {
    this.#upstream = undefined
    if (delayMs <= 0) {
      this.#attempt()
      return
    }
    this.#retryTimer = setTimeout(() => {
      this.#attempt()
    }, delayMs)
  }

  #pauseResponse(): void {
    if (this.#responsePaused || this.isOver) return
    this.#responsePaused = true
    this.#upstream?.pause()
  }

  #dropUpstream(kind: AttemptOutcome['kind'], status = 0): void {
    clearTimeout(this.#retryTimer)
    const upstream = this.#upstream
    this.#upstream = undefined
    this.#waiting?.forget(this)
    this.#waiting = undefined
    upstream?.cut()
    this.#endAttempt({ kind, status })
  }

  #endAttempt(outcome: AttemptOutcome): void {
    if (!this.#attemptOpen) return
    this.#attemptOpen = false
    const endpoint = this.endpoint as Endpoint
    endpoint.active--
    for (const filter of this.runtime.chain.attemptEnd) filter.attemptEnd(this, endpoint, outcome)
  }

  #complete(): void {
    this.#endAttempt({ kind: 'response', status: this.response?.status ?? 0 })
    this.#upstream = undefined
    this.#finish()
  }

  #finish(): void {
    this.isOver = true
    for (const filter of this.runtime.chain.end) filter.end(this)
    this.#held = undefined
    this.downstream.release()
  }
}
