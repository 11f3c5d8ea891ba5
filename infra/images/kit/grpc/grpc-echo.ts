/**
 * The echo service over gRPC: the few bytes of protobuf that it needs, written by hand.
 *
 *     package meshbench;
 *     service Echo { rpc Echo(EchoRequest) returns (EchoReply); }
 *     message EchoRequest { uint64 size = 1; }   // bytes of the reply's payload
 *     message EchoReply   { bytes payload = 1; }
 *
 * Framing: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, encoding: https://protobuf.dev/programming-guides/encoding
 */

export const grpcPath = '/meshbench.Echo/Echo'
/** Compressed flag and length of a message. */
export const grpcPrefixBytes = 5
const sizeTag = 0x08
const payloadTag = 0x0a

export function encodeEchoRequest(sizeBytes: number): Buffer {
  const message = sizeBytes === 0 ? [] : [sizeTag, ...varint(sizeBytes)]
  return Buffer.from([...grpcPrefix(message.length), ...message])
}

/** Size that the request asks for. Throws when it is not one whole request. */
export function decodeEchoRequest(framed: Buffer): number {
  if (framed.length < grpcPrefixBytes) throw new Error('no message')
  if (framed[0] !== 0) throw new Error('compressed messages are not supported')
  if (framed.readUInt32BE(1) !== framed.length - grpcPrefixBytes) throw new Error('not one whole message')
  if (framed.length === grpcPrefixBytes) return 0
  if (framed[grpcPrefixBytes] !== sizeTag) throw new Error('the message has a field that it should not have')
  const { value, end } = readVarint(framed, grpcPrefixBytes + 1)
  if (end !== framed.length) throw new Error('bytes after the message')
  return value
}

/** What comes before `sizeBytes` of payload in a framed reply. */
export function echoReplyHead(sizeBytes: number): Buffer {
  const field = sizeBytes === 0 ? [] : [payloadTag, ...varint(sizeBytes)]
  return Buffer.from([...grpcPrefix(field.length + sizeBytes), ...field])
}

function grpcPrefix(messageBytes: number): number[] {
  return [0, messageBytes >>> 24, (messageBytes >>> 16) & 255, (messageBytes >>> 8) & 255, messageBytes & 255]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value
  while (left > 127) {
    bytes.push((left % 128) | 128)
    left = Math.floor(left / 128)
  }
  return [...bytes, left]
}

function readVarint(buffer: Buffer, start: number): { value: number; end: number } {
  let value = 0
  for (let at = start; at < Math.min(buffer.length, start + 7); at++) {
    const byte = buffer[at] as number
    value += (byte & 127) * 2 ** (7 * (at - start))
    if (byte < 128) return { value, end: at + 1 }
  }
  throw new Error('a varint without an end')
}
