import { describe, expect, it } from 'vitest'
import { baseEntries, parseLdd } from './base.js'
import { imageReference } from './build.js'

describe('parseLdd', () => {
  it('reads glibc, the loader included and the kernel’s own object left out', () => {
    const text = `\tlinux-vdso.so.1 (0x00007fc9f2b7a000)
\tlibdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007fc9f2b63000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007fc9f2b7c000)
`
    expect(parseLdd(text)).toEqual(['/lib/x86_64-linux-gnu/libdl.so.2', '/lib64/ld-linux-x86-64.so.2'])
  })

  it('reads musl', () => {
    const text = `\t/lib/ld-musl-x86_64.so.1 (0x7f1)
\tlibstdc++.so.6 => /usr/lib/libstdc++.so.6 (0x7f2)
\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f1)
`
    expect(parseLdd(text)).toEqual(['/lib/ld-musl-x86_64.so.1', '/usr/lib/libstdc++.so.6'])
  })

  it('refuses a node that could not start in the image', () => {
    expect(() => parseLdd('\tlibatomic.so.1 => not found\n')).toThrow(/libatomic\.so\.1/)
  })
})

describe('baseEntries', () => {
  it('makes every folder before what lies in it, and nothing writable but /tmp', () => {
    const entries = [...baseEntries(new Map([['/usr/local/bin/node', new Uint8Array(1)]]))]
    const names = entries.map(({ name }) => name)
    expect(names.indexOf('usr/local/bin/')).toBeLessThan(names.indexOf('usr/local/bin/node'))
    expect(names.indexOf('usr/')).toBeLessThan(names.indexOf('usr/local/'))
    const writable = entries.filter(({ mode }) => (mode & 0o022) !== 0)
    expect(writable.map(({ name }) => name)).toEqual(['tmp/'])
  })
})

describe('imageReference', () => {
  it('changes with the bundle, the base and the Dockerfile', () => {
    const of = (bundle: string, base: string, dockerfile: string) =>
      imageReference('echo', bundle, base, dockerfile)
    const all = [of('a', 'b', 'c'), of('x', 'b', 'c'), of('a', 'x', 'c'), of('a', 'b', 'x')]
    expect(new Set(all).size).toBe(4)
    expect(of('a', 'b', 'c')).toBe(all[0])
  })
})
