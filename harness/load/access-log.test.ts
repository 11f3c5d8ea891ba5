import { describe, expect, it } from 'vitest'
import { MixOfLog, readLine } from './access-log.js'

/** Lines as programs wrote them, but for the numbers of bytes: Envoy 1.40 with its own and with Istio's format, nginx 1.22. */
const lines = {
  envoy: (requestBytes: number, replyBytes: number) =>
    `[2026-11-30T15:52:52.453Z] "GET /a HTTP/1.1" 200 - ${requestBytes} ${replyBytes} 0 - "-" "curl/7.88.1" "29eacdeb-e5cd-4b47-9233-40c19015cfaf" "localhost:18080" "-"`,
  envoyWithQuotes: (requestBytes: number, replyBytes: number) =>
    `[2026-11-30T15:52:52.491Z] "POST /b?q="x HTTP/1.1" 200 - ${requestBytes} ${replyBytes} 0 - "-" "x "y" z" "2f2708d0-4afd-4d39-93e9-bf418929190b" "localhost:18080" "-"`,
  istio: (requestBytes: number, replyBytes: number) =>
    `[2026-11-30T15:52:52.453Z] "GET /a HTTP/1.1" 200 - direct_response - "-" ${requestBytes} ${replyBytes} 0 - "-" "curl/7.88.1" "29eacdeb-e5cd-4b47-9233-40c19015cfaf" "localhost:18080" "-" - - 127.0.0.1:18080 127.0.0.1:54232 - -`,
  json: (requestBytes: number, replyBytes: number) =>
    `{"bytes_received":${requestBytes},"bytes_sent":${replyBytes},"duration":0,"method":"POST","path":"/b?q=\\"x","response_code":200,"start_time":"2026-11-30T15:52:52.491Z"}`,
}
const nginx = (replyBytes: number | '-') =>
  `127.0.0.1 - - [30/Nov/2026:15:52:58 +0000] "HEAD /b\\x22c HTTP/1.1" 200 ${replyBytes} "-" "q\\x22z"`

describe('a line of an access log', () => {
  it.each(Object.entries(lines))('of %s tells bytes both ways', (_, line) => {
    expect(readLine(line(60_000, 123))).toEqual({ requestBytes: 60_000, replyBytes: 123 })
  })

  it('of nginx or Apache tells those of the reply', () => {
    expect(readLine(nginx(512))).toEqual({ requestBytes: 0, replyBytes: 512 })
    expect(readLine(nginx('-'))).toEqual({ requestBytes: 0, replyBytes: 0 })
    const common = '10.0.0.1 - - [30/Nov/2026:15:52:58 +0000] "GET / HTTP/1.0" 200 2326'
    expect(readLine(common)).toEqual({ requestBytes: 0, replyBytes: 2326 })
  })

  it.each([
    '',
    'hello',
    '{"bytes_sent":1}',
    '{"bytes_sent":',
    '{"bytes_received":"x","bytes_sent":1}',
    'GET / 200 5',
  ])('%j is none', (line) => {
    expect(readLine(line)).toBeUndefined()
  })
})

describe('the mix of a log', () => {
  const mixOf = (all: readonly string[]) => {
    const mix = new MixOfLog()
    for (const line of all) mix.add(line)
    return mix
  }
  const many = (count: number, line: (n: number) => string) =>
    Array.from({ length: count }, (_, n) => line(n))

  it('has a kind for what moved about as much, the most frequent first, and moves what the log did', () => {
    const mix = mixOf([
      ...many(70, (n) => lines.istio(0, 600 + n)),
      ...many(25, () => lines.json(2000, 9000)),
      ...many(5, () => lines.envoy(60_000, 150_000)),
      'not a line of a log',
      '',
    ])
    expect(mix.kinds(8)).toEqual([
      { share: 70, requestBytes: 0, payloadBytes: 635 },
      { share: 25, requestBytes: 2000, payloadBytes: 9000 },
      { share: 5, requestBytes: 60_000, payloadBytes: 150_000 },
    ])
    expect([mix.lines, mix.unread]).toEqual([101, 1])
  })

  it('joins the rarest with their nearest where there are too many', () => {
    const mix = mixOf([
      ...many(50, () => lines.istio(0, 100)),
      ...many(40, () => lines.istio(0, 100_000)),
      lines.istio(0, 300),
      lines.istio(0, 60_000),
    ])
    const kinds = mix.kinds(2)
    expect(kinds.map(({ share }) => share)).toEqual([51, 41])
    const moved = kinds.reduce((sum, { share, payloadBytes }) => sum + share * payloadBytes, 0)
    expect(moved / (50 * 100 + 40 * 100_000 + 300 + 60_000)).toBeCloseTo(1, 3)
    expect(mix.kinds(1)).toHaveLength(1)
  })

  it('takes what moved more than a kind may as that much, and counts it', () => {
    const mix = mixOf([lines.istio(2 ** 30, 2 ** 40)])
    expect(mix.kinds(1)).toEqual([{ share: 1, requestBytes: 16 * 2 ** 20, payloadBytes: 64 * 2 ** 20 }])
    expect(mix.capped).toBe(1)
  })
})
