/** How kubectl and helm are called, and what becomes of them when a run is interrupted. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeProgram } from './testing.js'
import { Kubectl, type KubectlOptions } from './kubectl.js'

let folder: string
let echo: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshbench-kubectl-'))
  echo = await fakeProgram(folder, 'echo-arguments', 'echo "$*"')
})
afterAll(() => rm(folder, { recursive: true }))

const kubectlWith = (options: Partial<KubectlOptions> = {}) =>
  new Kubectl({ path: echo, helmPath: echo, runId: 'r', signal: new AbortController().signal, ...options })

it('leaves the choice of the kubeconfig to kubectl and helm, unless it is known', async () => {
  expect(await kubectlWith().run(['get', 'nodes'])).toBe('get nodes\n')
  const known = kubectlWith({ kubeconfig: '/k', context: 'c' })
  expect(await known.run(['get', 'nodes'])).toBe('--kubeconfig /k --context c get nodes\n')
  expect(await known.helm(['list'])).toBe('--kubeconfig /k --kube-context c list\n')
})

describe('when the run is interrupted', () => {
  const endless = async () => fakeProgram(folder, 'endless', 'echo up; exec sleep 120')

  it('ends what it runs, but for what undoes something', async () => {
    const abort = new AbortController()
    const kubectl = kubectlWith({ path: await endless(), signal: abort.signal })
    const [ended, kept] = [kubectl.start([]), kubectl.start([], {}, { pastAbort: true })]
    for (const { lines } of [ended, kept]) for await (const _ of lines) break
    abort.abort()
    expect((await ended.exited).signal).toBe('SIGKILL')
    let isOver = false
    void kept.exited.then(() => (isOver = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    kept.kill('SIGTERM')
    expect((await kept.exited).signal).toBe('SIGTERM')
  })
})
