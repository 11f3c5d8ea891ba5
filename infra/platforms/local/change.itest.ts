import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { resolveConfig } from '../../../harness/config/resolve-config.js'
import type { Arm, Endpoint, Host, Path } from '../../../harness/model.js'
import { openScope, type OpenScope } from '../../../harness/process/scope.js'
import { silentProgress } from '../../../harness/testing/scope.js'
import { local } from './local.js'
import { fetchText } from './loopback.js'

let stateDir: string
let scope: OpenScope
let host: Host
let server: Endpoint
const name = 'echo'

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'meshbench-change-'))
  scope = openScope({ runId: `change-${process.pid}`, stateDir, signal: new AbortController().signal })
  const config = resolveConfig({ arms: { reference: ['l4-only'] } })
  host = await local.create({ id: 'local', config, arms: [], paths: [] }, scope, silentProgress)
  const { endpoints } = await host.startApplication({} as Arm, {} as Path)
  server = endpoints.http as Endpoint
})
afterAll(async () => {
  await scope.close()
  await rm(stateDir, { recursive: true, force: true })
})

const ask = () => fetchText(server, '/')
const change = (what: 'kill' | 'stop' | 'start' | 'pause' | 'resume') => host.change?.(name, { do: what })

it.each(['kill', 'stop'] as const)('what a %s ends is told of, and comes back where it was', async (what) => {
  await change(what)
  await vi.waitFor(() => expect(host.health(name)?.kind).toBe('hop-died'))
  await expect(ask()).rejects.toThrow()
  await change('start')
  expect(host.health(name)).toBeUndefined()
  expect(await ask()).toBe('')
})

it('starting what runs changes nothing', async () => {
  await change('start')
  expect(await ask()).toBe('')
})

it('a pause is no death, and what was asked meanwhile is answered after it', async () => {
  await change('pause')
  let answered = false
  const answer = ask().then((text) => ((answered = true), text))
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect([answered, host.health(name)]).toEqual([false, undefined])
  await change('resume')
  expect(await answer).toBe('')
})

it('what it used in the lives before stays on its bill', async () => {
  const component = { name, category: 'application', node: 'server' } as const
  const used = async () => (await host.readUsage([component]))[name]
  // More than a start takes.
  for (let asked = 0; asked < 300; asked++) await ask()
  const before = await used()
  await change('kill')
  await vi.waitFor(() => expect(host.health(name)?.kind).toBe('hop-died'))
  await change('start')
  const after = await used()
  for (const counter of ['cpuNs', 'voluntarySwitches', 'readSyscalls'] as const)
    expect(after?.[counter] ?? 0, counter).toBeGreaterThanOrEqual(before?.[counter] ?? 0)
})

it('a hop that ends at its start is told with its exit code and its last line', async () => {
  const words = 'console.error("reading the config"); console.error("no such field: prot"); process.exit(3)'
  const hop = host.deploy({
    component: { name: 'waypoint', category: 'l7', node: 'server' },
    program: { kind: 'binary', name: 'own', argv: [process.execPath, '-e', words], readyPath: '/ready' },
    config: () => ({}),
    listeners: ['admin'],
    files: {},
  })
  await expect(hop).rejects.toThrow('waypoint ended before it was ready (exit code 3): no such field: prot')
})

it('says what it cannot do', async () => {
  await expect(host.change?.(name, { do: 'scale', to: 2 })).rejects.toThrow(/cannot be scaled/)
})

it('what stands still when a run ends is ended all the same', async () => {
  await change('pause')
  expect(await scope.close()).toEqual([])
  await expect(ask()).rejects.toThrow()
})
