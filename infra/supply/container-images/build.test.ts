/** Names of images that others made: as the config gives them, and as the engine and nodes find them. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { provideImage, taggedReference } from './build.js'

const digest = `sha256:${'0'.repeat(48)}0123456789abcdef`
const reference = `registry.example:5000/team/envoy:1@${digest}`

let cacheDir: string
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'meshbench-images-'))
})
afterAll(() => rm(cacheDir, { recursive: true }))

/** An engine that notes what it is asked to do. */
function engine(known: readonly string[] = []) {
  const asked: string[] = []
  const done = async (what: string) => {
    asked.push(what)
    return new PassThrough()
  }
  const docker = {
    getImage: (name: string) => ({
      inspect: async () =>
        known.includes(name) ? {} : Promise.reject(Object.assign(new Error('none'), { statusCode: 404 })),
      tag: ({ repo, tag }: { repo: string; tag: string }) => done(`tag ${name} ${repo}:${tag}`),
    }),
    loadImage: (file: string) => done(`load ${file}`),
    pull: (name: string) => done(`pull ${name}`),
    modem: { followProgress: (_: unknown, end: (error: null) => void) => end(null) },
  }
  return { asked, docker: docker as never, signal: new AbortController().signal }
}

it('an image by digest gets a tag, since archives hold no digests', async () => {
  const { docker, asked } = engine()
  expect(await taggedReference(docker, reference)).toBe('meshbench/envoy-pulled:0123456789abcdef')
  expect(asked).toEqual([`tag ${reference} meshbench/envoy-pulled:0123456789abcdef`])
  expect(await taggedReference(docker, 'meshbench/echo:1')).toBe('meshbench/echo:1')
})

it('an image comes from the engine, else from what was pulled ahead, else from its registry', async () => {
  const there = engine([reference])
  expect(await provideImage(there, reference, '', cacheDir)).toBe(reference)
  expect(there.asked).toEqual([])

  const online = engine()
  expect(await provideImage(online, reference, '', cacheDir)).toBe(reference)
  expect(online.asked).toEqual([`pull ${reference}`])

  const file = join(cacheDir, 'images', `registry.example_5000_team_envoy_1_sha256_${digest.slice(7)}.tar`)
  await mkdir(join(cacheDir, 'images'))
  // Of another image that had the tag, and of one that is named by its tag alone.
  for (const other of [file.replace('0123456789', '9876543210'), file.replace(/_sha256.*/, '.tar')])
    await writeFile(other, 'archive')
  const mistaken = engine()
  await provideImage(mistaken, reference, '', cacheDir)
  expect(mistaken.asked).toEqual([`pull ${reference}`])

  await writeFile(file, 'archive')
  const offline = engine()
  expect(await provideImage(offline, reference, '', cacheDir)).toBe('registry.example:5000/team/envoy:1')
  expect(offline.asked).toEqual([`load ${file}`])
})
