/** The Huffman code of HPACK (RFC 7541 §5.2 and appendix B), for reading what peers send; we send plain literals. */

/**
 * Length in bits of the code of each symbol 0…255 and of EOS. The code is canonical, so the lengths are all of it:
 * codes of equal length count up in the order of their symbols.
 */
// prettier-ignore
const codeLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]
const eos = 256

/** Binary tree: `children[2 * node + bit]` is the next node, or `-1 - symbol` at a leaf; 0 is "no such code". */
const children = buildTree(codeLengths)

function buildTree(lengths: readonly number[]): Int32Array {
  const tree = new Int32Array(2 * 512)
  let nodes = 1
  const symbols = lengths
    .map((bits, symbol) => ({ bits, symbol }))
    .sort((a, b) => a.bits - b.bits || a.symbol - b.symbol)
  let code = 0
  let width = 0
  for (const { bits, symbol } of symbols) {
    code *= 2 ** (bits - width)
    width = bits
    let node = 0
    for (let i = bits - 1; i >= 0; i -= 1) {
      const slot = 2 * node + (Math.floor(code / 2 ** i) & 1)
      if (i === 0) tree[slot] = -1 - symbol
      else node = tree[slot] ||= nodes++
    }
    code += 1
  }
  return tree
}

/** Returns undefined for bytes that are no valid encoding: EOS inside, or padding that is not all ones or too long. */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  const out: number[] = []
  let node = 0
  let depth = 0
  let ones = true
  for (const byte of bytes) {
    for (let i = 7; i >= 0; i -= 1) {
      const bit = (byte >> i) & 1
      const next = children[2 * node + bit] as number
      depth += 1
      ones &&= bit === 1
      if (next < 0) {
        const symbol = -1 - next
        if (symbol === eos) return undefined
        out.push(symbol)
        node = 0
        depth = 0
        ones = true
      } else {
        if (next === 0) return undefined
        node = next
      }
    }
  }
  if (depth > 7 || !ones) return undefined
  return Buffer.from(out).toString('latin1')
}
