import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { UserError, exitCodes } from '../../harness/model/errors.js'
import { storeBundle } from './bundles.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshbench-bundles-'))
})
afterAll(() => rm(folder, { recursive: true }))

it('keeps a bundle under the hash of its content', async () => {
  const { path, sha256 } = await storeBundle('proxy', 'text', join(folder, 'store'))
  expect(path).toContain(`proxy-${sha256.slice(0, 12)}.mjs`)
  expect(await readdir(join(folder, 'store'))).toHaveLength(1)
})

it('says where one cannot be kept, and what names another place', async () => {
  const file = join(folder, 'file')
  await writeFile(file, '')
  const error = await storeBundle('proxy', 'text', join(file, 'store')).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(UserError)
  expect(error).toMatchObject({
    message: expect.stringMatching(
      `^the bundle of proxy cannot be kept in ${join(file, 'store')}: ENOTDIR`,
    ) as unknown,
    hint: 'name a folder that this user may write to with MESHBENCH_CACHE',
    exitCode: exitCodes.hostLacks,
  })
})
