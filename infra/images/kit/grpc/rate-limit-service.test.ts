import { describe, expect, it } from 'vitest'
import { framed, messageIn } from './framing.js'
import { encodeRateLimitRequest, isWithinLimit, rateLimitReplies } from './rate-limit-service.js'

describe('the rate limit service', () => {
  it('is asked about one descriptor of one entry, by the bytes of the protocol', () => {
    // domain = 1: "d"; descriptors = 2: { entries = 1: { key = 1: "k", value = 2: "vv" } }
    const [domain, key, value] = [
      [0x0a, 1, 0x64],
      [0x0a, 1, 0x6b],
      [0x12, 2, 0x76, 0x76],
    ] as const
    const entry = [0x0a, key.length + value.length, ...key, ...value]
    const message = [...domain, 0x12, entry.length, ...entry]
    const asked = encodeRateLimitRequest('d', { key: 'k', value: 'vv' })
    expect([...asked]).toEqual([0, 0, 0, 0, message.length, ...message])
  })

  it('answers with a code', () => {
    expect(isWithinLimit(rateLimitReplies.ok)).toBe(true)
    expect(isWithinLimit(rateLimitReplies.overLimit)).toBe(false)
  })

  it('may say more beside the code, before it or after it', () => {
    const statuses = [0x12, 2, 0x08, 0x01]
    const reply = (...bytes: number[]) => framed(Buffer.from(bytes))
    expect(isWithinLimit(reply(0x08, 2, ...statuses))).toBe(false)
    expect(isWithinLimit(reply(...statuses, ...statuses, 0x08, 1))).toBe(true)
  })

  it.each([
    ['no code', framed(Buffer.from([0x12, 0]))],
    ['an unknown code', framed(Buffer.from([0x08, 0]))],
    ['no message', Buffer.alloc(0)],
    ['nothing in it', framed(Buffer.alloc(0))],
    ['a message that is cut', rateLimitReplies.ok.subarray(0, 6)],
    ['a compressed message', Buffer.from([1, ...rateLimitReplies.ok.subarray(1)])],
  ])('has not answered with %s', (_what, reply) => {
    expect(() => isWithinLimit(reply)).toThrow()
  })

  it('frames what it is given', () => {
    expect(messageIn(framed(Buffer.from('abc'))).toString()).toBe('abc')
  })
})
