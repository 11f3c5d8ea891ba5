/** HPACK against the worked examples of RFC 7541 appendix C, and against what must be refused. */
import { describe, expect, it } from 'vitest'
import { HpackDecoder, HpackError, encodeHeaders } from './hpack.js'
import { decodeHuffman } from './huffman.js'

const limits = { headerBytes: 16_384, headerCount: 100 }
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const decoder = (): HpackDecoder => new HpackDecoder(4096, limits)
/** The fields as pairs. */
const read = (from: HpackDecoder, block: Buffer): string[][] => {
  const { fields } = from.decode(block)
  return fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] as string]] : []))
}

describe('HpackDecoder', () => {
  it('reads RFC 7541 C.3: three requests without Huffman', () => {
    const connection = decoder()
    expect(read(connection, hex('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d'))).toEqual([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
    ])
    expect(read(connection, hex('8286 84be 5808 6e6f 2d63 6163 6865'))).toEqual([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
      ['cache-control', 'no-cache'],
    ])
    expect(
      read(connection, hex('8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65')),
    ).toEqual([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ])
  })

  it('reads RFC 7541 C.4: the first request with Huffman', () => {
    expect(read(decoder(), hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff'))[3]).toEqual([
      ':authority',
      'www.example.com',
    ])
  })

  it('evicts as RFC 7541 C.5 does with a table of 256 bytes', () => {
    const connection = new HpackDecoder(256, limits)
    connection.decode(
      hex(
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 54' +
          '6e17 6874 7470 733a 2f2f 7777 772e 6578 616d 706c 652e 636f 6d',
      ),
    )
    expect(read(connection, hex('4803 3330 37c1 c0bf'))).toEqual([
      [':status', '307'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ])
  })

  it.each([
    ['an index of zero', '80'],
    ['an index past the table', 'be'],
    ['a string past the end', '0005 6162'],
    ['an integer without end', 'ff ffff ffff ffff'],
    ['a table larger than announced', '3fe2 1f'],
    ['a size update after a field', '8220'],
    ['Huffman padding of zeros', '0081 00 00'],
    ['Huffman EOS', '0084 ffff ffff 00'],
    ['a block that ends in a field', '40'],
  ])('refuses %s', (_title, bytes) => {
    expect(() => decoder().decode(hex(bytes))).toThrow(HpackError)
  })

  it('bounds the decoded size, so that a small block cannot grow large', () => {
    const connection = decoder()
    connection.decode(hex('4001 61 7f ef03'.replaceAll(' ', '') + '62'.repeat(622)))
    const bomb = connection.decode(Buffer.alloc(1000, 0xbe))
    expect(bomb.isTooLarge).toBe(true)
    expect(bomb.fields.join('').length).toBeLessThan(limits.headerBytes)
    // The table is still what the peer thinks that it is.
    expect(connection.decode(hex('be')).fields[0]).toBe('a')
  })

  it('ends at a block that unpacks to far more than a head may have, and reads no more of it', () => {
    const connection = decoder()
    connection.decode(hex('4001 61 7f ef03'.replaceAll(' ', '') + '62'.repeat(622)))
    // What is behind its end would be an error of its own.
    const bomb = Buffer.concat([Buffer.alloc(2000, 0xbe), hex('40')])
    expect(() => connection.decode(bomb)).toThrow('far more than a head may have')
  })

  it('reads what encodeHeaders writes', () => {
    const fields = [
      [':method', 'CONNECT'],
      [':authority', 'server.bench:8080'],
      ['baggage', 'k8s.namespace.name=bench,' + 'x'.repeat(300)],
    ] as const
    expect(read(decoder(), encodeHeaders(fields, true))).toEqual(fields)
    expect(encodeHeaders([[':status', '200']], false)).toEqual(Buffer.of(0x88))
  })
})

describe('a block that comes again', () => {
  it('is the same list, until the table means something else', () => {
    const connection = decoder()
    // custom-key: custom-value goes into the table; then the entry alone, three times.
    connection.decode(hex('400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65'))
    const lists = [0, 1, 2].map(() => connection.decode(hex('82be')))
    expect(lists[2]).toBe(lists[1])
    expect(lists[2]?.fields).toEqual([':method', 'GET', 'custom-key', 'custom-value'])
    // Another entry takes its place.
    connection.decode(hex('4001 6101 62'))
    expect(connection.decode(hex('82be')).fields).toEqual([':method', 'GET', 'a', 'b'])
    expect(connection.decode(hex('82bf')).fields).toEqual([':method', 'GET', 'custom-key', 'custom-value'])
  })

  it('is read right among many others, over a table that is always full', () => {
    const connection = new HpackDecoder(4096, { headerBytes: 65_536, headerCount: 1000 })
    for (let round = 0; round < 2000; round++) {
      const name = `n${round % 37}`
      const value = `v${round % 41}`.repeat(10)
      const literal = encodeHeaders([[name, value]], false)
      literal[0] = 0x40
      expect(connection.decode(literal).fields).toEqual([name, value])
      for (let again = 0; again < 3; again++)
        expect(connection.decode(hex('82be')).fields).toEqual([':method', 'GET', name, value])
    }
  })
})

describe('decodeHuffman', () => {
  it('reads RFC 7541 C.6.1', () => {
    expect(decodeHuffman(hex('d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff'))).toBe(
      'Mon, 21 Oct 2013 20:13:21 GMT',
    )
  })
})
