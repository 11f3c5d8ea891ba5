/** Heads between HTTP/2 and the proxy's own form: read once, and kept with the list that they were read from. */
import { authorityPattern, forbiddenTrailers } from '../../kit/http1/head.js'
import { firstValue } from '../../kit/http1/http1-head.js'
import { type BlockWriter, type HeaderList, blockWriter } from '../../kit/h2/hpack.js'
import { readRequest, readResponse, readTrailers } from '../../kit/h2/message.js'
import { type Block, Fields, type Http2Origin, type RequestHead, type ResponseHead } from './message.js'

/** What belongs to one connection, or is kept beside the fields. */
const ownFields = new Set(['te', 'host', 'content-length', 'http2-settings'])

export interface RequestOrigin extends Http2Origin {
  readonly method: string
  readonly path: string
  readonly authority: string
  readonly acceptsTrailers: boolean
  /** It is well-formed and yet not to be forwarded: the status that answers it. */
  readonly refusal: number | undefined
}

export interface ResponseOrigin extends Http2Origin {
  readonly status: number
}

const pathPattern = /^\/[\x21\x22\x24-\x7e]*$/

/** Returns undefined for a malformed request. */
export function readRequestOrigin(list: HeaderList): RequestOrigin | undefined {
  if (list.memo !== undefined) return list.memo as RequestOrigin
  const request = readRequest(list)
  if (request === undefined) return undefined
  const { method, path, fields, contentLength } = request
  const host = firstValue(fields, 'host')
  const authority = request.authority || (host ?? '')
  if (method !== 'CONNECT') {
    const isPath = pathPattern.test(path) || (path === '*' && method === 'OPTIONS')
    if (!isPath || authority === '') return undefined
  }
  const isTwofold = host !== undefined && host.toLowerCase() !== authority.toLowerCase()
  const origin: RequestOrigin = {
    method,
    path,
    authority,
    contentLength,
    fields: withoutOwn(fields),
    acceptsTrailers: firstValue(fields, 'te') !== undefined,
    refusal: method === 'CONNECT' ? 405 : isTwofold || !authorityPattern.test(authority) ? 400 : undefined,
    isKept: list.isKept,
    block: undefined,
    blockOf: undefined,
    blockLength: 0,
  }
  if (list.isKept) list.memo = origin
  return origin
}

/** Returns undefined for a malformed answer. */
export function readResponseOrigin(list: HeaderList): ResponseOrigin | undefined {
  if (list.memo !== undefined) return list.memo as ResponseOrigin
  const response = readResponse(list)
  if (response === undefined) return undefined
  const { status, contentLength, fields } = response
  const origin: ResponseOrigin = {
    status,
    contentLength,
    fields: withoutOwn(fields),
    isKept: list.isKept,
    block: undefined,
    blockOf: undefined,
    blockLength: 0,
  }
  if (list.isKept) list.memo = origin
  return origin
}

/** Without what may stand only in a head; undefined for malformed ones. */
export function readTrailerFields(list: HeaderList): Fields | undefined {
  const trailers = readTrailers(list)
  if (trailers === undefined) return undefined
  const fields: string[] = []
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string
    if (!ownFields.has(name) && !forbiddenTrailers.has(name)) fields.push(name, trailers[i + 1] as string)
  }
  return new Fields(fields)
}

/** The head of a request for an HTTP/2 upstream. What nobody touched is encoded once for all of its kind. */
export function requestBlock(head: RequestHead): Block {
  const { origin, clientCert } = head
  // Asked for first: what a client claims of itself is taken away there.
  const { list } = head.fields
  const kept = origin?.isKept === true && head.isUntouched ? origin : undefined
  // The same fields with content, and without, are two heads.
  if (kept?.block !== undefined && kept.blockOf === clientCert && kept.blockLength === head.contentLength)
    return kept.block
  const block = blockWriter
    .begin()
    .field(':method', head.method)
    .field(':scheme', head.scheme)
    .field(':path', head.path)
    .field(':authority', head.authority)
    .fields(list)
  if (clientCert !== undefined) block.field('x-forwarded-client-cert', clientCert)
  if (head.contentLength > 0 || head.statesNoContent)
    block.field('content-length', String(head.contentLength))
  if (head.acceptsTrailers) block.field('te', 'trailers')
  if (kept !== undefined) kept.blockLength = head.contentLength
  return keep(kept, clientCert, block)
}

/** The head of an answer for an HTTP/2 client. */
export function responseBlock(head: ResponseHead, isBodyless: boolean): Block {
  const { origin } = head
  const kept = origin?.isKept === true && head.isUntouched ? origin : undefined
  if (kept?.block !== undefined) return kept.block
  const block = blockWriter.begin().field(':status', String(head.status)).fields(head.fields.list)
  const stated = head.isLengthless ? -1 : lengthOf(head, isBodyless)
  if (stated >= 0) block.field('content-length', String(stated))
  return keep(kept, undefined, block)
}

/** Trailers, as memory of their own. */
export function trailerBlock(fields: Fields | undefined): Buffer | undefined {
  return fields === undefined || fields.list.length === 0
    ? undefined
    : blockWriter.begin().fields(fields.list).copy()
}

function lengthOf(head: ResponseHead, isBodyless: boolean): number {
  const { source, origin } = head
  if (source !== undefined && source.contentLength >= 0) return source.contentLength
  if (origin !== undefined) return origin.contentLength
  return isBodyless ? -1 : head.contentLength
}

function keep(origin: Http2Origin | undefined, blockOf: string | undefined, block: BlockWriter): Block {
  if (origin === undefined) return block
  const bytes = block.copy()
  origin.block = { bytes, length: bytes.length }
  origin.blockOf = blockOf
  return origin.block
}

function withoutOwn(fields: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (!ownFields.has(name)) kept.push(name, fields[i + 1] as string)
  }
  return kept
}
