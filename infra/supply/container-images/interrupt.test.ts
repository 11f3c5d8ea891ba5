/** An engine's work that the run no longer wants, or that failed, over the engine's own API. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Docker from 'dockerode'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildImages, provideImage, provideProgramImage } from './build.js'

const reference = 'registry.example/team/envoy:1'
const base = 'registry.example/node:20'

let folder: string
let close: () => void
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshbench-engine-'))
})
afterEach(async () => {
  close()
  await rm(folder, { recursive: true })
})

/** An engine that has these images and begins everything else that it is asked for, which `work` goes on with. */
async function engine(
  work: (response: ServerResponse) => void,
  images: Readonly<Record<string, object>> = {},
  unnamed: readonly object[] = [],
) {
  const asked: string[] = []
  /** What it was asked for when nobody waited for its answer any more. */
  const ended: string[] = []
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://engine')
    const what = `${request.method} ${decodeURIComponent(pathname)}`
    asked.push(what)
    const name = /^GET \/images\/(.*)\/json$/.exec(what)?.[1]
    const found = name === undefined ? {} : images[name]
    request.resume()
    if (pathname === '/images/json') return response.end(JSON.stringify(unnamed))
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
    if (!what.startsWith('POST ')) return response.end(JSON.stringify(found ?? { message: 'none' }))
    response.once('close', () => {
      if (!response.writableFinished) ended.push(what)
    })
    work(response)
  })
  const socketPath = join(folder, 'engine.sock')
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  close = () => {
    server.closeAllConnections()
    server.close()
  }
  const docker = new Docker({ socketPath })
  const told: object[] = []
  const follow = docker.modem.followProgress.bind(docker.modem)
  docker.modem.followProgress = (stream: never, onEnd: never, onEvent: (event: object) => void) =>
    follow(stream, onEnd, (event: object) => {
      onEvent(event)
      told.push(event)
    })
  const interrupt = new AbortController()
  return { source: { docker, signal: interrupt.signal }, interrupt, asked, ended, told }
}

const line = (event: object) => `${JSON.stringify(event)}\n`
/** Says that it has begun, and never that it is done. */
const endless = (response: ServerResponse) => void response.write(line({ status: 'begun' }))

describe('an interrupt', () => {
  it('ends a pull, a load and an import at once, in the engine, too', async () => {
    await mkdir(join(folder, 'images'))
    for (const [archive, what] of [
      [false, 'POST /images/create'],
      [true, 'POST /images/load'],
    ] as const) {
      if (archive) await writeFile(join(folder, 'images', 'registry.example_team_envoy_1.tar'), 'archive')
      const { source, interrupt, asked, ended } = await engine(endless)
      const providing = provideImage(source, reference, '', folder)
      await expect.poll(() => asked).toContain(what)
      interrupt.abort(new Error('interrupted'))
      await expect(providing).rejects.toThrow(/^interrupted$/)
      await expect.poll(() => ended).toEqual([what])
      close()
    }
    const { source, interrupt, asked, ended } = await engine(endless)
    const importing = provideProgramImage(source, { name: 'node', argv: [process.execPath] }, {})
    await expect.poll(() => asked).toContain('POST /images/create')
    interrupt.abort(new Error('interrupted'))
    await expect(importing).rejects.toThrow(/^interrupted$/)
    await expect.poll(() => ended).toEqual(['POST /images/create'])
  })

  it.each([
    [
      'takes what it has made of an image along',
      { RepoTags: null },
      ['DELETE /images/bbbbbbbbbbbb', 'DELETE /images/cccccccccccc'],
    ],
    ['leaves what has a name', { RepoTags: ['meshbench/node-base:1'] }, ['DELETE /images/cccccccccccc']],
    ['leaves a base by digest', { RepoDigests: ['node@sha256:1'] }, ['DELETE /images/cccccccccccc']],
  ])('ends a build, and %s', async (_, names, deleted) => {
    const steps = [
      'Step 1/2 : FROM base',
      ' ---> aaaaaaaaaaaa\n',
      'Step 2/2 : COPY a b',
      ' ---> bbbbbbbbbbbb\n',
    ]
    const images = { [base]: {}, bbbbbbbbbbbb: names, cccccccccccc: { RepoTags: [] } }
    // The step that was under way is in no output.
    const unnamed = [{ Id: 'cccccccccccc' }]
    const { source, interrupt, asked, ended, told } = await engine(
      (response) => void response.write(steps.map((stream) => line({ stream })).join('')),
      images,
      unnamed,
    )
    const building = buildImages(source, { baseImage: base, version: '1' })
    // The images' programs are bundled before.
    await expect.poll(() => told.length, { timeout: 15_000 }).toBe(steps.length)
    interrupt.abort(new Error('interrupted'))
    await expect(building).rejects.toThrow(/^interrupted$/)
    await expect.poll(() => ended).toEqual(['POST /build'])
    expect(asked.filter((what) => what.startsWith('DELETE')).sort()).toEqual(deleted)
    expect(asked.filter((what) => what === 'POST /build')).toHaveLength(1)
  })

  it('before anything is asked for lets nothing begin', async () => {
    const { source, interrupt, asked } = await engine(endless)
    interrupt.abort(new Error('interrupted'))
    await expect(provideImage(source, reference, '', folder)).rejects.toThrow(/^interrupted$/)
    expect(asked.filter((what) => what.startsWith('POST'))).toEqual([])
  })
})

it('an error that the engine tells of in its output is the reason', async () => {
  const { source } = await engine((response) =>
    response.end(line({ error: `manifest for ${reference} not found: manifest unknown` })),
  )
  await expect(provideImage(source, reference, 'name another', folder)).rejects.toThrow(
    /could not be pulled: pull of registry\.example\/team\/envoy:1 failed: manifest for .* not found/,
  )
})
