/** Writes tar archives in memory, because an engine takes files, build contexts and whole images in no other form. */
import type { Readable } from 'node:stream'
import { Readable as ReadableStream } from 'node:stream'

const blockBytes = 512

export interface TarEntry {
  /** Relative path; a directory's ends in `/`. */
  readonly name: string
  /** Permission bits. */
  readonly mode: number
  readonly content?: Uint8Array | string
  readonly uid?: number
  readonly gid?: number
}

/** Yields the archive block by block, so that a base image of 100 MB is not held twice. Entries keep their order. */
export function* tarBlocks(entries: Iterable<TarEntry>): Generator<Uint8Array> {
  for (const entry of entries) {
    const content = typeof entry.content === 'string' ? Buffer.from(entry.content) : entry.content
    const bytes = content ?? new Uint8Array()
    yield tarHeader(entry, bytes.length)
    if (bytes.length === 0) continue
    yield bytes
    const padding = (blockBytes - (bytes.length % blockBytes)) % blockBytes
    if (padding > 0) yield new Uint8Array(padding)
  }
  // Two blocks of zeros end an archive (POSIX.1-1988 ustar).
  yield new Uint8Array(2 * blockBytes)
}

export function tarStream(entries: Iterable<TarEntry>): Readable {
  return ReadableStream.from(tarBlocks(entries))
}

/** One ustar header. Times are zero: equal contents must give equal archives. */
function tarHeader(entry: TarEntry, size: number): Uint8Array {
  const header = Buffer.alloc(blockBytes)
  const { name, prefix } = splitName(entry.name)
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`
  header.write(name, 0, 100)
  header.write(octal(entry.mode & 0o7777, 8), 100)
  header.write(octal(entry.uid ?? 0, 8), 108)
  header.write(octal(entry.gid ?? 0, 8), 116)
  header.write(octal(size, 12), 124)
  header.write(octal(0, 12), 136)
  header.write(' '.repeat(8), 148)
  header.write(entry.name.endsWith('/') ? '5' : '0', 156)
  header.write('ustar\x0000', 257)
  header.write(prefix, 345, 155)
  const checksum = header.reduce((sum, byte) => sum + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** A name of more than 100 bytes is cut at a slash into prefix and name. */
function splitName(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' }
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const name = path.slice(slash + 1)
    if (slash <= 155 && name !== '' && Buffer.byteLength(name) <= 100)
      return { name, prefix: path.slice(0, slash) }
  }
  throw new Error(`a tar entry's name is too long: ${path}`)
}
