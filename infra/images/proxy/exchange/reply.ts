/** Answers of the proxy's own, as the client reads them: HTTP, or gRPC's status in a head that is all there is. */
import { Fields, type RequestHead, ResponseHead } from './message.js'

export interface Reply {
  readonly status: number
  /** For metrics and the access log; not sent. */
  readonly reason: string
  /** Flat pairs. */
  readonly headers?: readonly string[]
  readonly body?: string
}

export function asksForGrpc(request: RequestHead): boolean {
  return request.fields.get('content-type')?.startsWith('application/grpc') === true
}

export function httpReply(reply: Reply) {
  const body = Buffer.from(reply.body ?? '')
  const fields = new Fields([...(reply.headers ?? [])])
  if (body.length > 0 && fields.get('content-type') === undefined) fields.add('content-type', 'text/plain')
  return { head: new ResponseHead(reply.status, body.length, undefined, fields), body }
}

/** Trailers-only (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
export function grpcReply(reply: Reply) {
  const head = new ResponseHead(200, -1, undefined, new Fields(grpcFields(reply)))
  return { head, body: Buffer.alloc(0) }
}

/** Flat pairs. */
export function grpcFields({ status, reason, headers = [], body = '' }: Reply): string[] {
  const message = body.trim() || reason
  return [
    ...['content-type', 'application/grpc', 'grpc-status', String(grpcStatusOf[status] ?? unknownStatus)],
    ...['grpc-message', encodeMessage(message), ...headers],
  ]
}

const unknownStatus = 2
/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const grpcStatusOf: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
}

/** What is not printable ASCII, and "%" itself, is percent-encoded. */
function encodeMessage(text: string): string {
  let encoded = ''
  for (const byte of Buffer.from(text)) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
