import { Buffer } from 'node:buffer'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from '../../../harness/process/exec.js'
import { type TarEntry, tarBlocks } from './tar.js'

const archiveOf = (entries: readonly TarEntry[]): Buffer => Buffer.concat([...tarBlocks(entries)])

describe('an archive', () => {
  it('is read back by tar with names, modes, owners and contents', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tar-test-'))
    try {
      const long = `${'deep/'.repeat(25)}file.txt`
      const archive = archiveOf([
        { name: 'app/', mode: 0o755 },
        { name: 'app/key.pem', mode: 0o400, content: 'secret', uid: 65532, gid: 65532 },
        { name: 'app/block.bin', mode: 0o644, content: Buffer.alloc(512, 7) },
        { name: long, mode: 0o600, content: 'far down' },
      ])
      await writeFile(join(folder, 'a.tar'), archive)
      const { stdout } = await run(['tar', '--numeric-owner', '-tvf', join(folder, 'a.tar')])
      expect(stdout).toMatch(/^-r-------- 65532\/65532\s+6 .* app\/key\.pem$/m)
      expect(stdout).toMatch(/^drwxr-xr-x 0\/0\s+0 .* app\/$/m)
      const read = await run(['tar', '-xOf', join(folder, 'a.tar'), long])
      expect(read.stdout).toBe('far down')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('gives equal bytes for equal contents', () => {
    const entries = [{ name: 'a', mode: 0o644, content: 'x' }]
    expect(archiveOf(entries).equals(archiveOf(entries))).toBe(true)
  })

  it('refuses a name that does not fit', () => {
    expect(() => archiveOf([{ name: 'x'.repeat(101), mode: 0o644 }])).toThrow(/too long/)
  })
})
