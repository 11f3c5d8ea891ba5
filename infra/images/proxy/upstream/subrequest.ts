/** Requests of the proxy's own: health checks, mirrors, questions to an authorizer. */
import type { Cluster, Endpoint } from './cluster.js'
import type { FailureKind, ResponseStart, UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import { type Fields, RequestHead, type ResponseHead } from '../exchange/message.js'

export interface SubrequestAnswer {
  readonly status: number
  readonly fields: Fields
}

/**
 * Sends a request and resolves when its response is whole; the body is read and dropped. A cluster's healthy endpoints take
 * turns. Rejects with the kind of failure.
 */
export async function subrequest(
  target: Cluster | Endpoint,
  request: RequestHead,
  options: { readonly body?: Buffer; readonly timeoutMs: number },
): Promise<SubrequestAnswer> {
  const endpoint = 'endpoints' in target ? healthyEndpoint(target) : target
  if (endpoint === undefined) throw new Error('no-healthy-upstream')
  return new Promise((resolve, reject) => {
    new Subrequest(endpoint, request, options.body, options.timeoutMs, resolve, (kind) => {
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
  readonly #resolve: (answer: SubrequestAnswer) => void
  readonly #reject: (kind: FailureKind | 'overflow') => void
  readonly #timer: NodeJS.Timeout
  #upstream: UpstreamSide | undefined
  #head: ResponseHead | undefined
  #isSecondTry = false

  constructor(
    endpoint: Endpoint,
    request: RequestHead,
    body: Buffer | undefined,
    timeoutMs: number,
    resolve: (answer: SubrequestAnswer) => void,
    reject: (kind: FailureKind | 'overflow') => void,
  ) {
    this.#endpoint = endpoint
    this.#request = request
    this.#body = body
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(() => {
      this.#upstream?.cut()
      this.#endpoint.pool.forget(this)
      this.onFailure('timeout')
    }, timeoutMs)
  }

  start(): void {
    const upstream = this.#endpoint.pool.acquire(this, this.#isSecondTry)
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

  onResponse({ head, ended }: ResponseStart): void {
    this.#head = head
    if (ended) this.onResponseEnd()
  }

  onResponseBody(): void {}

  onResponseEnd(): void {
    if (this.isOver) return
    this.#end()
    const head = this.#head as ResponseHead
    this.#resolve({ status: head.status, fields: head.fields })
  }

  onFailure(kind: FailureKind): void {
    if (this.isOver) return
    if (
      kind === 'reset' &&
      this.#upstream?.isReused === true &&
      !this.#isSecondTry &&
      this.#head === undefined
    ) {
      // The kept connection had been closed meanwhile.
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
