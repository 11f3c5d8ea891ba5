import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testRequest } from '../../harness/testing/request.js'
import { checkBinary, checkProgram, findProgramSource, locateBinary, type BinaryNeed } from './binaries.js'

const need: BinaryNeed = {
  name: 'meshbench-no-such-program',
  variable: 'MESHBENCH_TEST_BIN',
  versionArgs: ['--version'],
  version: /version ([\d.]+)/,
  remedy: 'install it',
}
let folder = ''
let good = ''
let mute = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshbench-binaries-'))
  good = join(folder, 'good')
  mute = join(folder, 'mute')
  await writeFile(good, '#!/bin/sh\necho good version 1.2.3 >&2\n')
  await writeFile(mute, '#!/bin/sh\necho nothing to say\n')
  await Promise.all([chmod(good, 0o755), chmod(mute, 0o755)])
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

describe('a binary', () => {
  it('that is nowhere is a need with its remedy', async () => {
    expect(await locateBinary(need, {})).toEqual({
      need: need.name,
      found: 'neither MESHBENCH_TEST_BIN nor a program on the PATH',
      remedy: 'install it',
    })
  })

  it('named by its variable must be usable: the PATH is not searched instead', async () => {
    const found = await locateBinary({ ...need, name: 'sh' }, { MESHBENCH_TEST_BIN: join(folder, 'absent') })
    expect(found).toMatchObject({ found: expect.stringContaining('is not a program') as string })
  })

  it('is found in a folder outside the PATH', async () => {
    expect(await locateBinary({ ...need, name: 'good', folders: [folder] }, {})).toBe(good)
  })

  it('is told with version and hash', async () => {
    vi.stubEnv('MESHBENCH_TEST_BIN', good)
    expect(await checkBinary(need)).toEqual([])
    const { argv0, fact } = await findProgramSource(need, testRequest({}).config)
    expect(argv0).toBe(good)
    expect(fact.value).toMatch(/^1\.2\.3, sha256 [0-9a-f]{64}$/)
  })

  it('that does not tell its version is not taken', async () => {
    vi.stubEnv('MESHBENCH_TEST_BIN', mute)
    const [unmet] = await checkBinary(need)
    expect(unmet?.found).toContain('no version')
  })
})

it('is asked of the settings where the nodes pull images, and not of this machine', async () => {
  vi.stubEnv('MESHBENCH_TEST_BIN', good)
  const configOf = (settings: object) =>
    testRequest({ config: { platform: 'kubernetes', platformSettings: { kubernetes: settings } } }).config
  const on = { builds: 'image', offers: ['own-hops', 'cluster'] } as const
  const [unmet] = await checkProgram(need, configOf({}), on)
  expect(unmet).toMatchObject({ need: `an image of ${need.name} on kubernetes` })
  expect(unmet?.remedy).toContain(`platformSettings.kubernetes.programImages.${need.name}`)
  expect(await checkProgram(need, configOf({ programImages: { [need.name]: 'x@sha256:1' } }), on)).toEqual([])
  expect(await checkProgram(need, configOf({}), { ...on, offers: [...on.offers, 'new-cluster'] })).toEqual([])
})
