import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeFolder, tryFile, tryFolder } from './folders.js'

const folder = mkdtempSync(join(tmpdir(), 'meshbench-folders-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

describe('a folder', () => {
  it('is made with those above it, and told, the outermost first', () => {
    expect(makeFolder(at('a/b/c'))).toEqual(['a', 'a/b', 'a/b/c'].map(at))
    expect(makeFolder(at('a/b/c'))).toEqual([])
  })

  it('that cannot be made leaves nothing behind', () => {
    expect(() => makeFolder(at(`new/${'x'.repeat(300)}`))).toThrow('ENAMETOOLONG')
    expect(existsSync(at('new'))).toBe(false)
    expect(() => makeFolder('/proc/x/y')).toThrow('ENOENT')
  })

  it('is tried without a trace', () => {
    tryFolder('--out', at('tried/out'))
    mkdirSync(at('there'))
    tryFolder('--out', at('there'))
    expect([existsSync(at('tried')), readdirSync(at('there'))]).toEqual([false, []])
  })
})

describe('what cannot be written to', () => {
  it('is told with the flag and what was typed', () => {
    writeFileSync(at('file'), '')
    expect(() => tryFolder('--out', at('file'))).toThrow(`--out: ${at('file')} is a file`)
    expect(() => tryFolder('--out', at('file/x'))).toThrow(
      `--out: ${at('file/x')} cannot be written to: ENOTDIR`,
    )
    expect(() => tryFile('--out', folder, 'page.html')).toThrow(`--out: ${folder} is a folder`)
    expect(() => tryFile('--out', '/dev/null', 'page.html')).toThrow('--out: /dev/null is no ordinary file')
    expect(() => tryFile('--out', '/proc/x/page.html', 'page.html')).toThrow(
      '--out: /proc/x/page.html cannot be written to: ENOENT',
    )
    tryFile('--out', at('file'), 'page.html')
  })
})
