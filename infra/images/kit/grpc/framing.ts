/**
 * How gRPC frames a message, and the varints of protobuf.
 *
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, https://protobuf.dev/programming-guides/encoding
 */

/** Compressed flag and length of a message. */
export const grpcPrefixBytes = 5

export function grpcPrefix(messageBytes: number): number[] {
  return [0, messageBytes >>> 24, (messageBytes >>> 16) & 255, (messageBytes >>> 8) & 255, messageBytes & 255]
}

export function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(grpcPrefix(message.length)), message])
}

/** The one message of a body. Throws when it is not one whole message. */
export function messageIn(body: Buffer): Buffer {
  if (body.length < grpcPrefixBytes) throw new Error('no message')
  if (body[0] !== 0) throw new Error('compressed messages are not supported')
  if (body.readUInt32BE(1) !== body.length - grpcPrefixBytes) throw new Error('not one whole message')
  return body.subarray(grpcPrefixBytes)
}

export function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value
  while (left > 127) {
    bytes.push((left % 128) | 128)
    left = Math.floor(left / 128)
  }
  return [...bytes, left]
}

export function readVarint(buffer: Buffer, start: number): { value: number; end: number } {
  let value = 0
  for (let at = start; at < Math.min(buffer.length, start + 7); at++) {
    const byte = buffer[at] as number
    value += (byte & 127) * 2 ** (7 * (at - start))
    if (byte < 128) return { value, end: at + 1 }
  }
  throw new Error('a varint without an end')
}
