import { describe, expect, it } from 'vitest'
import { decodeEchoRequest, echoReplyHead, encodeEchoRequest } from './grpc-echo.js'

describe('echo over gRPC', () => {
  it('survives a round trip', () => {
    for (const size of [0, 1, 127, 128, 300, 65_536, 2 ** 31, 2 ** 40]) {
      expect(decodeEchoRequest(encodeEchoRequest(size))).toBe(size)
    }
  })

  it('takes padding for what it is: field 2, which the reply does not depend on', () => {
    expect([...encodeEchoRequest(0, Buffer.from('ab'))]).toEqual([0, 0, 0, 0, 4, 0x12, 2, 0x61, 0x62])
    for (const size of [0, 300])
      for (const padding of [1, 300])
        expect(decodeEchoRequest(encodeEchoRequest(size, Buffer.alloc(padding)))).toBe(size)
  })

  it('is protobuf: field 1, varint 300 is 08 ac 02', () => {
    expect([...encodeEchoRequest(300)]).toEqual([0, 0, 0, 0, 3, 0x08, 0xac, 0x02])
    expect([...echoReplyHead(300)]).toEqual([0, 0, 0, 0x01, 0x2f, 0x0a, 0xac, 0x02])
    expect([...echoReplyHead(0)]).toEqual([0, 0, 0, 0, 0])
  })

  it('refuses what is not one whole request', () => {
    for (const bytes of [
      [],
      [1, 0, 0, 0, 0],
      [0, 0, 0, 0, 2, 8],
      [0, 0, 0, 0, 2, 0x10, 1],
      [0, 0, 0, 0, 2, 8, 0x80],
      [0, 0, 0, 0, 3, 0x12, 2, 0x61],
      [0, 0, 0, 0, 4, 0x12, 1, 0x61, 0x61],
    ]) {
      expect(() => decodeEchoRequest(Buffer.from(bytes))).toThrow()
    }
  })
})
