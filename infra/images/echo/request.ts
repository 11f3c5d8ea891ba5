/** What a request may ask of the echo server in its query: `/echo?size=1024&delay=0.2ms&status=503`. */

import { HeadError } from '../kit/http1/http1-head.js'

export interface EchoRequest {
  /** Bytes of the reply's body; undefined: send the request's body back. */
  readonly sizeBytes: number | undefined
  readonly delayUs: number
  readonly status: number
}

const maxReplyBytes = 1024 ** 4
const maxDelayUs = 60e6
const microsecondsPer: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, '': 1e3 }

/** Most requests of a load are alike: what was parsed once is looked up. */
const known = new Map<string, EchoRequest>()

/** Parses a request target. Throws `HeadError` 400 for a query that cannot be honoured. */
export function parseTarget(target: string): EchoRequest {
  const cached = known.get(target)
  if (cached) return cached
  const mark = target.indexOf('?')
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
  const request = {
    sizeBytes: query.has('size') ? parseInteger('size', query.get('size'), 0, maxReplyBytes) : undefined,
    delayUs: query.has('delay') ? parseDelay(query.get('delay') ?? '') : 0,
    status: query.has('status') ? parseInteger('status', query.get('status'), 200, 599) : 200,
  }
  if (known.size > 1000) known.clear()
  known.set(target, request)
  return request
}

function parseInteger(name: string, text: string | null, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text ?? '') ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new HeadError(400, `${name}=${text}: a whole number from ${min} to ${max}`)
}

function parseDelay(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|)$/.exec(text)
  const us = match ? Number(match[1]) * (microsecondsPer[match[2] ?? ''] as number) : Number.NaN
  if (us <= maxDelayUs) return us
  throw new HeadError(400, `delay=${text}: a number with us, ms or s, at most 60s`)
}
