/** Requests of the proxy's own: health checks, mirrors, questions to an authorizer or an issuer. */
import type { Cluster, Endpoint } from './cluster.js'
import type { FailureKind, UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
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
  { body, timeoutMs, keepBytes = 0 }: SubrequestOptions,
): Promise<SubrequestAnswer> {
  const endpoint = 'endpoints' in target ? healthyEndpoint(target) : target
  if (endpoint === undefined) throw new Error('no-healthy-upstream')
  const pool = endpoint.pools.http1
  return new Promise((resolve, reject) => {
    let upstream: UpstreamSide | undefined
    let head: ResponseHead | undefined
    let isSecondTry = false
    let bytes = 0
    const parts: Buffer[] = []
    const start = (): void => {
      const acquired = pool.acquire(owner, isSecondTry)
      if (acquired === 'overflow') fail('overflow')
      else if (acquired !== undefined) owner.onUpstream(acquired)
    }
    const end = (): void => {
      owner.isOver = true
      clearTimeout(timer)
    }
    const fail = (kind: FailureKind | 'overflow'): void => {
      end()
      reject(new Error(kind))
    }
    const owner: UpstreamOwner & { isOver: boolean } = {
      ...unasked,
      isOver: false,
      onUpstream(side) {
        upstream = side
        side.send(request, body, 'owned', true)
      },
      onResponse({ head: answer, buffer, bodyStart, bodyEnd, lease, ended }) {
        head = answer
        owner.onResponseBody(buffer.subarray(bodyStart, bodyEnd), lease)
        if (ended) owner.onResponseEnd(undefined)
      },
      onResponseBody(part) {
        if (keepBytes === 0 || owner.isOver || part.length === 0) return
        bytes += part.length
        if (bytes <= keepBytes) {
          // The buffer is read into again.
          parts.push(Buffer.from(part))
          return
        }
        upstream?.cut()
        owner.onFailure('protocol')
      },
      onResponseEnd(trailers) {
        if (owner.isOver) return
        end()
        const { status, fields } = head as ResponseHead
        resolve({ status, fields, body: Buffer.concat(parts), trailers })
      },
      onFailure(kind) {
        if (owner.isOver) return
        // The kept connection had been closed meanwhile, or its server goes away and has not begun (RFC 9113 §8.7).
        const isStale = kind === 'reset' && upstream?.isReused === true && head === undefined
        if (isSecondTry || !(isStale || kind === 'refused')) fail(kind)
        else {
          isSecondTry = true
          start()
        }
      },
    }
    const timer = setTimeout(() => {
      upstream?.cut()
      pool.forget(owner)
      owner.onFailure('timeout')
    }, timeoutMs)
    start()
  })
}

/** What means nothing to a request that was handed over whole, and whose answer goes nowhere. */
const unasked = { onUpstreamDrain() {}, onInform() {}, onSwitch() {}, cork() {}, uncork() {} }

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
