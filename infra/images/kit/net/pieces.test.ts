import { expect, it } from 'vitest'
import { Pieces } from './pieces.js'
import { keepRead } from './reads.js'

/** All that waits, each block copied as it is handed out. */
function drain(pieces: Pieces): Buffer[] {
  const all: Buffer[] = []
  while (!pieces.isEmpty) {
    pieces.consume((bytes) => {
      all.push(Buffer.from(bytes))
      return bytes.length
    })
  }
  return all
}

const large = (fill: string): Buffer => Buffer.alloc(40_000, fill)

it('hands out in order what came, of which a part may stay', () => {
  const pieces = new Pieces()
  for (const piece of ['ab', 'cd', 'ef']) pieces.keep(Buffer.from(piece))
  pieces.keep(large('g'))
  pieces.consume(() => 1)
  expect(pieces.length).toBe(40_005)
  pieces.keep(Buffer.from('h'))
  expect(Buffer.concat(drain(pieces)).toString()).toBe(`bcdef${'g'.repeat(40_000)}h`)
  expect(pieces.length).toBe(0)
})

it('hands out each byte once to who asks for more while it handles some', () => {
  const pieces = new Pieces()
  pieces.keep(large('a'))
  pieces.keep(large('b'))
  let inner: Buffer[] = []
  let outer: Buffer | undefined
  pieces.consume((bytes) => {
    outer = Buffer.from(bytes)
    inner = drain(pieces)
    return bytes.length
  })
  expect(Buffer.concat([outer as Buffer, ...inner]).toString()).toBe('a'.repeat(40_000) + 'b'.repeat(40_000))
})

it('uses memory again, but never what a write has kept', () => {
  const pieces = new Pieces()
  const seen: Buffer[] = []
  const takeAll = (isKept: boolean): void => {
    while (!pieces.isEmpty) {
      pieces.consume((bytes) => {
        if (isKept) keepRead()
        seen.push(bytes)
        return bytes.length
      })
    }
  }
  pieces.keep(large('a'))
  takeAll(true)
  pieces.keep(large('b'))
  takeAll(false)
  const text = (from: number, to: number): string => Buffer.concat(seen.slice(from, to)).toString()
  const blocks = seen.length / 2
  expect(text(0, blocks)).toBe('a'.repeat(40_000))
  pieces.keep(large('c'))
  expect(text(0, blocks)).toBe('a'.repeat(40_000))
  expect(text(blocks, 2 * blocks)).toContain('c')
  expect(Buffer.concat(drain(pieces)).toString()).toBe('c'.repeat(40_000))
})

it('joins what waits, more than once, and keeps more after that', () => {
  const pieces = new Pieces()
  expect(pieces.join()).toHaveLength(0)
  pieces.keep(large('a'))
  const first = pieces.join()
  pieces.keep(Buffer.from('b'))
  expect(pieces.join().toString()).toBe(`${'a'.repeat(40_000)}b`)
  expect(first.toString()).toBe('a'.repeat(40_000))
})
