/**
 * The echo service over gRPC: the few bytes of protobuf that it needs, written by hand.
 *
 *     package meshbench;
 *     service Echo { rpc Echo(EchoRequest) returns (EchoReply); }
 *     message EchoRequest { uint64 size = 1; }   // bytes of the reply's payload
 *     message EchoReply   { bytes payload = 1; }
 */
import { grpcPrefix, messageIn, readVarint, varint } from './framing.js'

export const grpcPath = '/meshbench.Echo/Echo'
const sizeTag = 0x08
const payloadTag = 0x0a

export function encodeEchoRequest(sizeBytes: number): Buffer {
  const message = sizeBytes === 0 ? [] : [sizeTag, ...varint(sizeBytes)]
  return Buffer.from([...grpcPrefix(message.length), ...message])
}

/** Size that the request asks for. Throws when it is not one whole request. */
export function decodeEchoRequest(body: Buffer): number {
  const message = messageIn(body)
  if (message.length === 0) return 0
  if (message[0] !== sizeTag) throw new Error('the message has a field that it should not have')
  const { value, end } = readVarint(message, 1)
  if (end !== message.length) throw new Error('bytes after the message')
  return value
}

/** What comes before `sizeBytes` of payload in a framed reply. */
export function echoReplyHead(sizeBytes: number): Buffer {
  const field = sizeBytes === 0 ? [] : [payloadTag, ...varint(sizeBytes)]
  return Buffer.from([...grpcPrefix(field.length + sizeBytes), ...field])
}
