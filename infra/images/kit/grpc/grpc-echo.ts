/**
 * The echo service over gRPC: the few bytes of protobuf that it needs, written by hand.
 *
 *     package meshbench;
 *     service Echo { rpc Echo(EchoRequest) returns (EchoReply); }
 *     message EchoRequest { uint64 size = 1; bytes padding = 2; }   // bytes of the reply's payload; what is not read
 *     message EchoReply   { bytes payload = 1; }
 */
import { framed, grpcPrefix, messageIn, readVarint, varint } from './framing.js'

export const grpcPath = '/meshbench.Echo/Echo'
const sizeTag = 0x08
const payloadTag = 0x0a
const paddingTag = 0x12

export function encodeEchoRequest(sizeBytes: number, padding: Buffer = Buffer.alloc(0)): Buffer {
  const size = sizeBytes === 0 ? [] : [sizeTag, ...varint(sizeBytes)]
  const head = padding.length === 0 ? size : [...size, paddingTag, ...varint(padding.length)]
  return framed(Buffer.concat([Buffer.from(head), padding]))
}

/** Size that the request asks for. Throws when it is not one whole request. */
export function decodeEchoRequest(body: Buffer): number {
  const message = messageIn(body)
  const hasSize = message[0] === sizeTag
  const { value: size, end } = hasSize ? readVarint(message, 1) : { value: 0, end: 0 }
  if (end === message.length) return size
  if (message[end] !== paddingTag) throw new Error('the message has a field that it should not have')
  const padding = readVarint(message, end + 1)
  if (padding.end + padding.value !== message.length) throw new Error('not the padding that it says')
  return size
}

/** What comes before `sizeBytes` of payload in a framed reply. */
export function echoReplyHead(sizeBytes: number): Buffer {
  const field = sizeBytes === 0 ? [] : [payloadTag, ...varint(sizeBytes)]
  return Buffer.from([...grpcPrefix(field.length + sizeBytes), ...field])
}
