/**
 * The rate limit service of Envoy's API over gRPC: the few bytes of protobuf that it needs, written by hand.
 *
 *     package envoy.service.ratelimit.v3;
 *     service RateLimitService { rpc ShouldRateLimit(RateLimitRequest) returns (RateLimitResponse); }
 *     message RateLimitRequest  { string domain = 1; repeated RateLimitDescriptor descriptors = 2; }
 *     message RateLimitDescriptor { repeated Entry entries = 1; }  message Entry { string key = 1; string value = 2; }
 *     message RateLimitResponse { Code overall_code = 1; }         enum Code { UNKNOWN = 0; OK = 1; OVER_LIMIT = 2; }
 *
 * https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/ratelimit/v3/rls.proto
 */
import { framed, messageIn, readVarint, varint } from './framing.js'

export const rateLimitPath = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'

export interface Descriptor {
  readonly key: string
  readonly value: string
}

/** Field numbers 1 and 2 with the wire type of a length. */
const [firstField, secondField] = [0x0a, 0x12]
const overallCode = 0x08
const [ok, overLimit] = [1, 2]

const lengthed = (tag: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([tag, ...varint(bytes.length)]), bytes])

/** A framed request about one descriptor of one entry, as Envoy's `generic_key` makes it. */
export function encodeRateLimitRequest(domain: string, { key, value }: Descriptor): Buffer {
  const entry = Buffer.concat([
    lengthed(firstField, Buffer.from(key)),
    lengthed(secondField, Buffer.from(value)),
  ])
  const descriptor = lengthed(firstField, entry)
  return framed(Buffer.concat([lengthed(firstField, Buffer.from(domain)), lengthed(secondField, descriptor)]))
}

export const rateLimitReplies = {
  ok: framed(Buffer.from([overallCode, ok])),
  overLimit: framed(Buffer.from([overallCode, overLimit])),
}

/** Whether the service lets pass. Throws when it does not say. */
export function isWithinLimit(reply: Buffer): boolean {
  const message = messageIn(reply)
  for (let at = 0; at < message.length;) {
    const { value: tag, end: start } = readVarint(message, at)
    const { value, end } = readVarint(message, start)
    if (tag === overallCode && (value === ok || value === overLimit)) return value === ok
    // What Envoy's API has beside it are messages: their length says where the next field begins.
    if ((tag & 7) !== 2) break
    at = end + value
  }
  throw new Error('an answer without a code')
}
