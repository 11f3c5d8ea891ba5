/** Requests of the proxy's own: health checks, mirrors, questions to an authorizer or an issuer. */
import type { Cluster, Endpoint } from './cluster.js'
import type { FailureKind, ResponseStart, UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import { type Fields, RequestHead, type ResponseHead } from '../exchange/message.js'

export interface SubrequestAnswer {
  readonly status: number
  readonly fields: Fields
  /** Empty where none was to be kept. */
  readonly body: Buffer
  readonly trailers: Fields | undefined
}

export interface SubrequestOptions {
  readonly body?: Buffer
  readonly timeoutMs: number
  /** Of the response's body; a longer one is a failure. Absent: it is read and dropped, however long. */
  readonly keepBytes?: number
}

/**
 * Sends a request and resolves when its response is whole. A cluster's healthy endpoints take turns. Rejects with the kind of
 * failure.
 */
export async function subrequest(
  target: Cluster | Endpoint,
  request: RequestHead,
  options: SubrequestOptions,
): Promise<SubrequestAnswer> {
  const endpoint = 'endpoints' in target ? healthyEndpoint(target) : target
  if (endpoint === undefined) throw new Error('no-healthy-upstream')
  return new Promise((resolve, reject) => {
    new Subrequest(endpoint, request, options, resolve, (kind) => {
      reject(new Error(kind))
    }).start()
  })
}

function healthyEndpoint(cluster: Cluster): Endpoint | undefined {
  const healthy = cluster.endpoints.filter(({ isHealthy }) => isHealthy)
  return healthy.length === 0 ? undefined : cluster.roundRobin(healthy)
}

/** A request head of the proxy's own. `fields` are flat pairs of lower-case name and value. */
export function ownRequest(
  method: string,
  path: string,
  authority: string,
  fields: readonly string[],
  contentLength = 0,
): RequestHead {
  const request = new RequestHead({ method, path, authority, scheme: 'http', contentLength }, undefined)
  for (let i = 0; i < fields.length; i += 2) request.fields.add(fields[i] as string, fields[i + 1] as string)
  return request
}

class Subrequest implements UpstreamOwner {
  isOver = false
  readonly #endpoint: Endpoint
  readonly #request: RequestHead
  readonly #body: Buffer | undefined
  readonly #keepBytes: number | undefined
  readonly #resolve: (answer: SubrequestAnswer) => void
  readonly #reject: (kind: FailureKind | 'overflow') => void
  readonly #timer: NodeJS.Timeout
  #upstream: UpstreamSide | undefined
  #head: ResponseHead | undefined
  #isSecondTry = false
  #parts: Buffer[] = []
  #bytes = 0

  constructor(
    endpoint: Endpoint,
    request: RequestHead,
    { body, timeoutMs, keepBytes }: SubrequestOptions,
    resolve: (answer: SubrequestAnswer) => void,
    reject: (kind: FailureKind | 'overflow') => void,
  ) {
    this.#endpoint = endpoint
    this.#request = request
    this.#body = body
    this.#keepBytes = keepBytes
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(() => {
      this.#upstream?.cut()
      this.#endpoint.pools.http1.forget(this)
      this.onFailure('timeout')
    }, timeoutMs)
  }

  start(): void {
    const upstream = this.#endpoint.pools.http1.acquire(this, this.#isSecondTry)
    if (upstream === 'overflow') {
      this.#end()
      this.#reject('overflow')
    } else if (upstream !== undefined) {
      this.onUpstream(upstream)
    }
  }

  onUpstream(upstream: UpstreamSide): void {
    this.#upstream = upstream
    upstream.send(this.#request, this.#body, 'owned', true)
  }

  onUpstreamDrain(): void {}
  onInform(): void {}
  onSwitch(): void {}
  cork(): void {}
  uncork(): void {}

  onResponse({ head, buffer, bodyStart, bodyEnd, ended }: ResponseStart): void {
    this.#head = head
    this.onResponseBody(buffer.subarray(bodyStart, bodyEnd))
    if (ended) this.onResponseEnd(undefined)
  }

  onResponseBody(bytes: Buffer): void {
    if (this.#keepBytes === undefined || this.isOver || bytes.length === 0) return
    this.#bytes += bytes.length
    if (this.#bytes <= this.#keepBytes) {
      // The buffer is read into again.
      this.#parts.push(Buffer.from(bytes))
      return
    }
    this.#upstream?.cut()
    this.onFailure('protocol')
  }

  onResponseEnd(trailers: Fields | undefined): void {
    if (this.isOver) return
    this.#end()
    const { status, fields } = this.#head as ResponseHead
    const [only] = this.#parts
    const body = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts)
    this.#resolve({ status, fields, body, trailers })
  }

  onFailure(kind: FailureKind): void {
    if (this.isOver) return
    // The kept connection had been closed meanwhile.
    const isStale = kind === 'reset' && this.#upstream?.isReused === true && this.#head === undefined
    if (isStale && !this.#isSecondTry) {
      this.#isSecondTry = true
      this.start()
      return
    }
    this.#end()
    this.#reject(kind)
  }

  #end(): void {
    this.isOver = true
    clearTimeout(this.#timer)
  }
}
