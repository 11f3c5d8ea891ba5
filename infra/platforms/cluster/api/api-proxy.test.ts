/** The way to the API server while a run is taken down: what is left of it goes through it. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openScope } from '../../../../harness/process/scope.js'
import { startApiProxy } from './api-proxy.js'
import { Kubectl } from './kubectl.js'
import { fakeProgram } from './testing.js'

let stateDir: string
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'meshbench-proxy-'))
})
afterEach(() => rm(stateDir, { recursive: true }))

const answers =
  "require('node:http').createServer((q, r) => r.end('{}')).listen(process.argv.at(-1).split('=')[1])"

it('still answers when the run was interrupted, until the scope closes it', async () => {
  const abort = new AbortController()
  const path = await fakeProgram(stateDir, 'kubectl', `exec '${process.execPath}' -e "${answers}" -- "$@"`)
  const scope = openScope({ runId: 'r', stateDir, signal: abort.signal })
  const proxy = await startApiProxy(new Kubectl({ path, runId: 'r', signal: abort.signal }), scope)
  let undone: unknown
  scope.defer('delete namespaces', async () => void (undone = await proxy.json('/api/v1/namespaces')))
  abort.abort()
  expect(await scope.close()).toEqual([])
  expect(undone).toEqual({})
  await expect(proxy.get('/version')).rejects.toThrow()
})

it('has its socket in the folder of the run, however long the path of that is', async () => {
  const deep = join(stateDir, 'a'.repeat(60), 'b'.repeat(60))
  await mkdir(deep, { recursive: true })
  const path = await fakeProgram(stateDir, 'kubectl', `exec '${process.execPath}' -e "${answers}" -- "$@"`)
  const { signal } = new AbortController()
  const scope = openScope({ runId: 'r', stateDir: deep, signal })
  await startApiProxy(new Kubectl({ path, runId: 'r', signal }), scope)
  expect((await readdir(deep)).join()).toMatch(/^api\d+\.sock$/)
  expect(await scope.close()).toEqual([])
})

it('is not waited for when the run is interrupted before it answers', async () => {
  const abort = new AbortController()
  const path = await fakeProgram(stateDir, 'kubectl', 'read line')
  const scope = openScope({ runId: 'r', stateDir, signal: abort.signal })
  const started = startApiProxy(new Kubectl({ path, runId: 'r', signal: abort.signal }), scope)
  abort.abort()
  await expect(started).rejects.toThrow(/aborted/)
  expect(await scope.close()).toEqual([])
})
