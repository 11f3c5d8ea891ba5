/** HPACK (RFC 7541): reads any peer's header blocks within bounds; writes literals and static entries, which need no state. */
import { decodeHuffman } from './huffman.js'
import type { ConnectionLimits } from './settings.js'

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

/** Of the limit of a head: what a block unpacks to, before it is a bomb and not only too large. */
const mostTimes = 64

type HpackLimits = Pick<ConnectionLimits, 'headerBytes' | 'headerCount'>

/** The fields of one header block, in their order. */
export class HeaderList {
  /** Flat pairs of name and value. */
  readonly fields: readonly string[]
  /** It was larger than the limits: `fields` is only its beginning. */
  readonly isTooLarge: boolean
  /** The decoder gives this very list again when the same bytes come again, so what is made of it may be kept. */
  isKept = false
  /** What was made of a list that is kept. */
  memo: unknown

  constructor(fields: readonly string[], isTooLarge: boolean) {
    this.fields = fields
    this.isTooLarge = isTooLarge
  }
}

/** Blocks that came at least twice are kept, in as many places, when they are not longer than this. */
const places = 16
const maxKeptBytes = 512

interface Kept {
  /** Of the block that came last to this place. */
  hash: number
  bytes: Buffer | undefined
  list: HeaderList | undefined
  generation: number
}

/** One direction of one connection. */
export class HpackDecoder {
  /** SETTINGS_HEADER_TABLE_SIZE that we announced. */
  readonly #maxTableBytes: number
  readonly #limits: HpackLimits
  /** Newest last; entries before `#oldest` are gone. */
  #table: HeaderField[] = []
  #oldest = 0
  #tableBytes = 0
  #capacity: number
  /** Grows with each change of the table: what was decoded before means something else after. */
  #generation = 0
  #kept: (Kept | undefined)[] | undefined
  #bytes: Buffer = nothing
  #at = 0
  #end = 0

  constructor(maxTableBytes: number, limits: HpackLimits) {
    this.#maxTableBytes = maxTableBytes
    this.#capacity = maxTableBytes
    this.#limits = limits
  }

  /** Decodes one whole block. Throws `HpackError`; the connection is lost after it. */
  decode(block: Buffer, from = 0, to = block.length): HeaderList {
    const length = to - from
    if (length > maxKeptBytes || length === 0) return this.#decode(block, from, to)
    const hash = hashOf(block, from, to)
    const place = (this.#kept ??= new Array<Kept | undefined>(places))
    const kept = place[hash & (places - 1)]
    if (kept === undefined) {
      place[hash & (places - 1)] = { hash, bytes: undefined, list: undefined, generation: 0 }
      return this.#decode(block, from, to)
    }
    if (kept.hash !== hash) {
      kept.hash = hash
      kept.bytes = kept.list = undefined
      return this.#decode(block, from, to)
    }
    if (kept.list !== undefined && kept.generation === this.#generation) {
      const { bytes } = kept
      if (bytes !== undefined && equals(bytes, block, from, to)) return kept.list
    }
    const generation = this.#generation
    const list = this.#decode(block, from, to)
    if (generation === this.#generation && !list.isTooLarge) {
      list.isKept = true
      kept.bytes = Buffer.from(block.subarray(from, to))
      kept.list = list
      kept.generation = generation
    }
    return list
  }

  #decode(block: Buffer, from: number, to: number): HeaderList {
    this.#bytes = block
    this.#at = from
    this.#end = to
    const { headerBytes, headerCount } = this.#limits
    const fields: string[] = []
    let size = 0
    let isTooLarge = false
    let isFirst = true
    while (this.#at < to) {
      const first = block[this.#at] as number
      if ((first & 0xe0) === 0x20) {
        // §4.2: size updates stand at the beginning of a block.
        if (!isFirst) throw new HpackError('a table size update after a field')
        this.#resize(this.#integer(5))
        continue
      }
      isFirst = false
      const field = first & 0x80 ? this.#entry(this.#integer(7)) : this.#literal(first)
      size += field[0].length + field[1].length + entryOverhead
      // No head that somebody means is so far above the limit, and each byte of one may unpack to kilobytes: the connection ends.
      if (size > mostTimes * headerBytes)
        throw new HpackError('a block that unpacks to far more than a head may have')
      // What is too much is read all the same, as the table has to stay what the peer thinks it is.
      if (size > headerBytes || fields.length >= 2 * headerCount) isTooLarge = true
      else fields.push(field[0], field[1])
    }
    return new HeaderList(fields, isTooLarge)
  }

  #literal(first: number): HeaderField {
    const indexed = (first & 0xc0) === 0x40
    const index = this.#integer(indexed ? 6 : 4)
    const name = index === 0 ? this.#string() : this.#entry(index)[0]
    const field: HeaderField = [name, this.#string()]
    if (indexed) this.#insert(field)
    return field
  }

  #insert(field: HeaderField): void {
    const bytes = field[0].length + field[1].length + entryOverhead
    this.#generation += 1
    this.#evict(bytes)
    if (bytes > this.#capacity) return
    this.#table.push(field)
    this.#tableBytes += bytes
  }

  #resize(capacity: number): void {
    if (capacity > this.#maxTableBytes) throw new HpackError('a dynamic table larger than announced')
    this.#generation += 1
    this.#capacity = capacity
    this.#evict(0)
  }

  #evict(room: number): void {
    while (this.#oldest < this.#table.length && this.#tableBytes + room > this.#capacity) {
      const [name, value] = this.#table[this.#oldest] as HeaderField
      this.#tableBytes -= name.length + value.length + entryOverhead
      this.#oldest += 1
    }
    // Emptied in steps, so that an eviction does not move the whole table.
    if (this.#oldest < 64 && this.#oldest < this.#table.length) return
    this.#table = this.#table.slice(this.#oldest)
    this.#oldest = 0
  }

  #entry(index: number): HeaderField {
    const at = this.#table.length - (index - staticTable.length)
    const field =
      index <= staticTable.length ? staticTable[index - 1] : at >= this.#oldest ? this.#table[at] : undefined
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
    const from = this.#at
    const to = from + length
    if (to > this.#end) throw new HpackError('a string passes the end of the block')
    this.#at = to
    if (!huffman) return this.#bytes.toString('latin1', from, to)
    const text = decodeHuffman(this.#bytes, from, to)
    if (text === undefined) throw new HpackError('not a Huffman code')
    return text
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new HpackError('the block ends inside a field')
    return this.#bytes[this.#at++] as number
  }
}

const nothing = Buffer.alloc(0)

/** FNV-1a: to find a place, not to resist anybody. Bytes are compared before a list is given again. */
function hashOf(bytes: Buffer, from: number, to: number): number {
  let hash = 0x811c9dc5
  for (let i = from; i < to; i += 1) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return (hash ^ (hash >>> 15)) | 0
}

function equals(kept: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (kept.length !== to - from) return false
  for (let i = 0; i < kept.length; i += 1) if (kept[i] !== bytes[from + i]) return false
  return true
}

/** Set aside the dynamic table: an encoder that never uses it has nothing to do when the peer changes its size. */
export const noDynamicTable = 0x20

const noIndex = 0x00

/** How a field's name goes out: the index of a static entry, or the name itself. */
const namePrefixes = new Map<string, Uint8Array>()
/** Whole fields that are an entry of the static table. */
const wholeEntries = new Map<string, Map<string, number>>()
for (const [i, [name, value]] of staticTable.entries()) {
  if (!namePrefixes.has(name)) {
    const prefix: number[] = []
    pushInteger(prefix, noIndex, i + 1, 4)
    namePrefixes.set(name, Uint8Array.from(prefix))
  }
  if (value === '') continue
  const values = wholeEntries.get(name) ?? new Map<string, number>()
  values.set(value, 0x80 | (i + 1))
  wholeEntries.set(name, values)
}
const maxNames = 1000
const staticNames = namePrefixes.size

/** Names repeat: their bytes are made once. */
function prefixOf(name: string): Uint8Array {
  const known = namePrefixes.get(name)
  if (known !== undefined) return known
  const prefix = [noIndex]
  pushInteger(prefix, 0, name.length, 7)
  for (let i = 0; i < name.length; i += 1) prefix.push(name.charCodeAt(i) & 0xff)
  const bytes = Uint8Array.from(prefix)
  if (namePrefixes.size < staticNames + maxNames && name.length <= 64) namePrefixes.set(name, bytes)
  return bytes
}

/** Writes header blocks into memory of its own, which the next block uses again. */
export class BlockWriter {
  bytes = Buffer.allocUnsafeSlow(4096)
  length = 0

  begin(): this {
    this.length = 0
    return this
  }

  /** A literal without indexing, or an entry of the static table. */
  field(name: string, value: string): this {
    const entry = wholeEntries.get(name)?.get(value)
    const prefix = prefixOf(name)
    if (this.length + prefix.length + value.length + 8 > this.bytes.length)
      this.#grow(prefix.length + value.length)
    const { bytes } = this
    if (entry !== undefined) {
      bytes[this.length++] = entry
      return this
    }
    let at = this.length
    for (let i = 0; i < prefix.length; i += 1) bytes[at++] = prefix[i] as number
    const size = value.length
    if (size < 127) {
      bytes[at++] = size
    } else {
      bytes[at++] = 127
      let rest = size - 127
      for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
      bytes[at++] = rest
    }
    // A call into the runtime costs more than a few characters.
    if (size <= 24) for (let i = 0; i < size; i += 1) bytes[at++] = value.charCodeAt(i) & 0xff
    else at += bytes.write(value, at, 'latin1')
    this.length = at
    return this
  }

  /** Flat pairs of name and value. */
  fields(list: readonly string[]): this {
    for (let i = 0; i < list.length; i += 2) this.field(list[i] as string, list[i + 1] as string)
    return this
  }

  /** The block as memory of its own. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length))
  }

  #grow(room: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * (this.length + room + 8))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}

/** Every connection's: a block is copied into a frame before the next one is begun. */
export const blockWriter = new BlockWriter()

function pushInteger(bytes: number[], first: number, value: number, prefixBits: number): void {
  const mask = (1 << prefixBits) - 1
  if (value < mask) {
    bytes.push(first | value)
    return
  }
  bytes.push(first | mask)
  let rest = value - mask
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
}

/** Encodes fields as a block of its own. `first`: put the table size update of a connection's first block. */
export function encodeHeaders(fields: readonly HeaderField[], first: boolean): Buffer {
  const block = new BlockWriter().fields(fields.flat()).copy()
  return first ? Buffer.concat([Buffer.of(noDynamicTable), block]) : block
}
