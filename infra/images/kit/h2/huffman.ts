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

/** A node that only invalid codes reach. */
const invalid = 0xffff

/**
 * Four bits at a time: `steps[16 * node + bits]` is the next node, and above its 16 bits one more than the symbol that
 * was completed on the way. The shortest code has 5 bits, so there is at most one.
 */
const { steps, mayEnd } = buildSteps(buildTree(codeLengths))

function buildSteps(tree: Int32Array): { steps: Int32Array; mayEnd: Uint8Array } {
  const table = new Int32Array(16 * 512).fill(invalid)
  for (let node = 0; node < 512; node += 1) {
    for (let bits = 0; bits < 16; bits += 1) {
      let at = node
      let symbol = -1
      for (let i = 3; i >= 0 && at !== invalid; i -= 1) {
        const next = tree[2 * at + ((bits >> i) & 1)] as number
        if (next > 0) at = next
        else if (next === 0 || -1 - next === eos) at = invalid
        else {
          symbol = -1 - next
          at = 0
        }
      }
      table[16 * node + bits] = at === invalid ? invalid : at | ((symbol + 1) << 16)
    }
  }
  // §5.2: padding is the beginning of EOS, at most 7 ones.
  const ends = new Uint8Array(512)
  for (let depth = 0, node = 0; depth <= 7; depth += 1) {
    ends[node] = 1
    node = tree[2 * node + 1] as number
  }
  return { steps: table, mayEnd: ends }
}

/** The longest that a text can be in a block that is read; grows when one is longer. */
let scratch = Buffer.allocUnsafeSlow(4096)

/** Returns undefined for bytes that are no valid encoding: EOS inside, or padding that is not all ones or too long. */
export function decodeHuffman(bytes: Uint8Array, from = 0, to = bytes.length): string | undefined {
  const most = Math.ceil((to - from) * 1.6)
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * most)
  let node = 0
  let length = 0
  for (let i = from; i < to; i += 1) {
    const byte = bytes[i] as number
    const high = steps[16 * node + (byte >> 4)] as number
    if (high > invalid) scratch[length++] = (high >> 16) - 1
    node = high & invalid
    if (node === invalid) return undefined
    const low = steps[16 * node + (byte & 15)] as number
    if (low > invalid) scratch[length++] = (low >> 16) - 1
    node = low & invalid
    if (node === invalid) return undefined
  }
  return mayEnd[node] === 1 ? scratch.toString('latin1', 0, length) : undefined
}
