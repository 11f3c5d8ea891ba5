/** HPACK (RFC 7541): reads any peer's header blocks within bounds; writes plain literals, which need no state. */
import { decodeHuffman } from './huffman.js'

export type HeaderField = readonly [name: string, value: string]

/** RFC 7541 appendix A. */
const staticTable: readonly HeaderField[] = (
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|' +
  ':status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((entry) => {
    const space = entry.indexOf(' ')
    return space < 0 ? [entry, ''] : [entry.slice(0, space), entry.slice(space + 1)]
  })

/** RFC 7541 §4.1: what an entry counts beyond its bytes. */
const entryOverhead = 32

/** Thrown for a block that cannot be decoded: a connection error of type COMPRESSION_ERROR. */
export class HpackError extends Error {}

/** Thrown for a block that decodes to more than the limits allow. */
export class HeaderLimitError extends Error {}

export interface HpackLimits {
  /** Names, values and 32 bytes for each field. */
  readonly headerBytes: number
  readonly headerCount: number
}

/** One direction of one connection. */
export class HpackDecoder {
  /** SETTINGS_HEADER_TABLE_SIZE that we announced. */
  readonly #maxTableBytes: number
  readonly #limits: HpackLimits
  /** Newest first. */
  readonly #table: HeaderField[] = []
  #tableBytes = 0
  #capacity: number
  #bytes: Uint8Array = new Uint8Array()
  #at = 0

  constructor(maxTableBytes: number, limits: HpackLimits) {
    this.#maxTableBytes = maxTableBytes
    this.#capacity = maxTableBytes
    this.#limits = limits
  }

  /** Decodes one whole block. Throws `HpackError` or `HeaderLimitError`; the connection is lost after either. */
  decode(block: Uint8Array): HeaderField[] {
    this.#bytes = block
    this.#at = 0
    const fields: HeaderField[] = []
    let size = 0
    while (this.#at < block.length) {
      const first = block[this.#at] as number
      if ((first & 0xe0) === 0x20) {
        // §4.2: size updates stand at the beginning of a block.
        if (fields.length > 0) throw new HpackError('a table size update after a field')
        const capacity = this.#integer(5)
        if (capacity > this.#maxTableBytes) throw new HpackError('a dynamic table larger than announced')
        this.#capacity = capacity
        this.#evict(0)
        continue
      }
      const field = first & 0x80 ? this.#entry(this.#integer(7)) : this.#literal(first)
      size += field[0].length + field[1].length + entryOverhead
      if (size > this.#limits.headerBytes || fields.length >= this.#limits.headerCount) {
        throw new HeaderLimitError('too many or too large headers')
      }
      fields.push(field)
    }
    return fields
  }

  #literal(first: number): HeaderField {
    const indexed = (first & 0xc0) === 0x40
    const index = this.#integer(indexed ? 6 : 4)
    const name = index === 0 ? this.#string() : this.#entry(index)[0]
    const field: HeaderField = [name, this.#string()]
    if (indexed) {
      const bytes = field[0].length + field[1].length + entryOverhead
      this.#evict(bytes)
      if (bytes <= this.#capacity) {
        this.#table.unshift(field)
        this.#tableBytes += bytes
      }
    }
    return field
  }

  #evict(room: number): void {
    while (this.#table.length > 0 && this.#tableBytes + room > this.#capacity) {
      const [name, value] = this.#table.pop() as HeaderField
      this.#tableBytes -= name.length + value.length + entryOverhead
    }
  }

  #entry(index: number): HeaderField {
    const field =
      index <= staticTable.length ? staticTable[index - 1] : this.#table[index - staticTable.length - 1]
    if (!field) throw new HpackError(`no table entry ${index}`)
    return field
  }

  /** §5.1, bounded to what fits 28 bits: nothing legitimate is longer. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1
    let value = this.#byte() & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte()
      value += (byte & 0x7f) << shift
      if (!(byte & 0x80)) return value
    }
    throw new HpackError('an integer is too long')
  }

  #string(): string {
    const huffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0
    const length = this.#integer(7)
    const end = this.#at + length
    if (end > this.#bytes.length) throw new HpackError('a string passes the end of the block')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    if (!huffman) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    // The shortest code has 5 bits.
    if (length * 1.6 > this.#limits.headerBytes) throw new HeaderLimitError('a header is too large')
    const text = decodeHuffman(bytes)
    if (text === undefined) throw new HpackError('not a Huffman code')
    return text
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new HpackError('the block ends inside a field')
    this.#at += 1
    return byte
  }
}

const staticNames = new Map(staticTable.map(([name], index) => [name, index + 1] as const).reverse())

/** Set aside the dynamic table: an encoder that never uses it has nothing to do when the peer changes its size. */
export const noDynamicTable = 0x20

/** Encodes fields as literals without indexing. `first`: put the table size update of a connection's first block. */
export function encodeHeaders(fields: readonly HeaderField[], first: boolean): Buffer {
  const parts: number[] = first ? [noDynamicTable] : []
  for (const [name, value] of fields) {
    // :status 200 is an entry of the static table.
    if (name === ':status' && value === '200') {
      parts.push(0x88)
      continue
    }
    const index = staticNames.get(name)
    if (index === undefined) {
      parts.push(0)
      pushString(parts, name)
    } else {
      pushInteger(parts, index, 4)
    }
    pushString(parts, value)
  }
  return Buffer.from(parts)
}

function pushString(parts: number[], text: string): void {
  const bytes = Buffer.from(text, 'latin1')
  pushInteger(parts, bytes.length, 7)
  for (const byte of bytes) parts.push(byte)
}

function pushInteger(parts: number[], value: number, prefixBits: number): void {
  const mask = (1 << prefixBits) - 1
  if (value < mask) {
    parts.push(value)
    return
  }
  parts.push(mask)
  let rest = value - mask
  while (rest >= 0x80) {
    parts.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  parts.push(rest)
}
