/**
 * Times as counts in buckets, and how they are written: HDR histograms of whole µs with three significant digits, in
 * the compressed V2 encoding that libraries of many languages read.
 * https://github.com/HdrHistogram/HdrHistogram, src/main/java/org/HdrHistogram/AbstractHistogram.java
 *
 * Up to 2047 µs each value has a bucket of its own; above, each doubling is cut into 1024.
 */
import { deflateSync, inflateSync } from 'node:zlib'
import type { Histogram } from './result.js'

/** One hour: what is above counts as it. */
const highestUs = 3_600_000_000
export const bucketCount = 23 * 1024

/** Index of the bucket for a time in µs, rounded to whole ones; negative times count as 0. */
export function bucketIndex(us: number): number {
  const value = us >= highestUs ? highestUs : us > 0 ? Math.round(us) : 0
  if (value < 2048) return value
  const shift = 21 - Math.clz32(value)
  return (shift << 10) + (value >>> shift)
}

/** Lowest whole µs that falls into a bucket. */
export function bucketLowestUs(index: number): number {
  if (index < 2048) return index
  const shift = (index >>> 10) - 1
  return (index - shift * 1024) * 2 ** shift
}

/** Highest whole µs that falls into a bucket. */
export function bucketHighestUs(index: number): number {
  return bucketLowestUs(index + 1) - 1
}

/**
 * Smallest value in µs that at least `percentile` per cent (0 < p ≤ 100) of what was counted do not exceed, right to
 * one part in a thousand; undefined when nothing was counted.
 */
export function percentileOfCounts(counts: Float64Array, percentile: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const rank = rankOf(percentile, total)
  let seen = 0
  for (let index = 0; index < counts.length; index++) {
    seen += counts[index] as number
    if (seen >= rank) return bucketHighestUs(index)
  }
  return undefined
}

/** How many of `total` values lie at or below their percentile (0 < p ≤ 100), one at least. */
export function rankOf(percentile: number, total: number): number {
  // The product of 99.9 and 1000 is a hair above 99900 in binary: such hairs must not move a rank.
  return Math.max(1, Math.ceil((percentile / 100) * total - 1e-6))
}

const cookie = { compressed: 0x1c849314, payload: 0x1c849313 }
const headerBytes = 40

/** Writes counts by bucket. */
export function encodeCounts(counts: Float64Array): Histogram {
  const coded: number[] = []
  let total = 0
  let zeros = 0
  for (const count of counts) {
    if (count === 0) {
      zeros++
      continue
    }
    if (zeros > 0) pushSigned(coded, -zeros)
    pushSigned(coded, count)
    zeros = 0
    total += count
  }
  const payload = Buffer.alloc(headerBytes + coded.length)
  payload.writeInt32BE(cookie.payload, 0)
  payload.writeInt32BE(coded.length, 4)
  payload.writeInt32BE(3, 12)
  payload.writeBigInt64BE(1n, 16)
  payload.writeBigInt64BE(BigInt(highestUs), 24)
  payload.writeDoubleBE(1, 32)
  payload.set(coded, headerBytes)
  const deflated = deflateSync(payload)
  const head = Buffer.alloc(8)
  head.writeInt32BE(cookie.compressed, 0)
  head.writeInt32BE(deflated.length, 4)
  const data = Buffer.concat([head, deflated]).toString('base64')
  return { unit: 'us', encoding: 'hdr-v2-deflate-base64', data, count: total }
}

/** Reads counts by bucket, up to the last that holds something. Throws when the data is damaged or of another kind. */
export function decodeCounts(histogram: Histogram): Float64Array {
  // The fields may be read from a file of another version.
  const { unit, encoding } = histogram as { unit: string; encoding: string }
  if (unit !== 'us' || encoding !== 'hdr-v2-deflate-base64')
    throw new Error(`cannot read a histogram in ${unit}, encoded as ${encoding}`)
  const bytes = Buffer.from(histogram.data, 'base64')
  if (bytes.length < 8 || bytes.readInt32BE(0) !== cookie.compressed)
    throw new Error('it is no compressed V2 histogram')
  const payload = inflateSync(bytes.subarray(8), { maxOutputLength: 2 ** 20 })
  if (payload.length < headerBytes || payload.readInt32BE(0) !== cookie.payload)
    throw new Error('it is no V2 histogram')
  if (payload.readInt32BE(12) !== 3 || payload.readBigInt64BE(16) !== 1n)
    throw new Error('it is not of three digits from 1 up')
  const counts = new Float64Array(bucketCount)
  let used = 0
  for (const value of signedNumbers(payload.subarray(headerBytes))) {
    if (value < 0) used -= value
    else counts[used++] = value
    if (used > bucketCount) throw new Error('it holds times of more than an hour')
  }
  return counts.subarray(0, used)
}

/** ZigZag LEB128, as protocol buffers have it, but that a ninth byte would hold eight bits: no count is as large. */
function pushSigned(bytes: number[], value: number): void {
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  bytes.push(rest)
}

function* signedNumbers(bytes: Buffer): Generator<number> {
  let coded = 0
  let scale = 1
  for (const byte of bytes) {
    coded += (byte % 128) * scale
    scale *= 128
    if (byte >= 128) continue
    yield coded % 2 === 1 ? -(coded + 1) / 2 : coded / 2
    coded = 0
    scale = 1
  }
}
