import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { findProgram } from '../process/exec.js'
import { processesOf } from '../testing/processes.js'
import { createWorkspace } from '../testing/cli.js'
import { imageBundles } from '../../infra/images/bundles.js'
import { attempt, type Bench } from './attempt.js'
import { reportedTotal } from './figures.js'
import { countFate } from './log.js'
import { scenarios, type Scenario } from './scenarios.js'
import { buildServer } from './server.js'
import { listSubjects } from './subjects.js'

const folder = mkdtempSync(join(tmpdir(), 'truth-test-'))
const runId = `truth-test-${process.pid}`
const compiler = process.platform === 'linux' && ((await findProgram('cc')) ?? (await findProgram('gcc')))
if (!compiler) console.log('skipped: no C compiler, or no Linux, for the server of known truth')
let bench: Bench
let loadgen: string

beforeAll(async () => {
  if (!compiler) return
  bench = { folder, runId, program: await buildServer(folder, runId) }
  loadgen = (await imageBundles()).loadgen.path
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ours = (engine: 'open-loop' | 'closed-loop' = 'open-loop') =>
  listSubjects(loadgen).find(({ name }) => name === engine)!

for (const name of ['errors', 'reset', 'close', 'chunked', 'status-204', 'status-304', 'ipv6'] as const)
  it.skipIf(!compiler)(`the closed loop and the server count alike: ${scenarios[name].title}`, async () => {
    // As many connections as bodies break off: each of them has to go on behind one.
    const scenario: Scenario = { ...scenarios[name], closedConnections: 4 }
    const { log, report, failure } = await attempt(ours('closed-loop'), scenario, bench)
    expect(failure).toBeUndefined()
    expect(log.requests).toHaveLength(reportedTotal(report!))
    const { ok, errors } = report!
    expect(ok).toBeGreaterThan(0)
    const [failed, broken] = [countFate(log, 'error'), countFate(log, 'reset')]
    expect(errors).toEqual({
      ...(failed > 0 ? { '5xx': failed } : {}),
      ...(broken > 0 ? { reset: broken } : {}),
    })
    if (name === 'reset') expect(broken).toBeGreaterThan(1)
  })

for (const name of ['errors', 'reset', 'close', 'chunked', 'status-304', 'ipv6', 'fresh'] as const)
  it.skipIf(!compiler)(`our engine and the server count alike: ${scenarios[name].title}`, async () => {
    const scenario: Scenario = { ...scenarios[name], ratePerSecond: 200 }
    const { log, report, failure } = await attempt(ours(), scenario, bench)
    expect(failure).toBeUndefined()
    expect(log.requests).toHaveLength(reportedTotal(report!))
    expect(report!.ok + (report!.dropped ?? 0)).toBeGreaterThan(0)
    expect(report!.errors['5xx'] ?? 0).toBe(countFate(log, 'error'))
    expect(report!.errors.reset ?? 0).toBe(countFate(log, 'reset'))
    if (scenario.fresh) expect(log.connectionsOpened).toBe(log.requests.length)
    expect(processesOf(runId)).toEqual([])
  })

for (const engine of ['open-loop', 'closed-loop'] as const)
  it.skipIf(!compiler)(`${engine} warms up where times are read, and none of that is judged`, async () => {
    const { log, served, report, failure } = await attempt(ours(engine), scenarios['delay-1ms'], bench)
    expect(failure).toBeUndefined()
    expect(log.requests).toHaveLength(reportedTotal(report!))
    expect(served).toBe(log.requests.length + report!.warmupSent!)
    expect(report!.warmupSent).toBeGreaterThan(0)
    const { served: all, log: unwarmed } = await attempt(ours(engine), scenarios.close, bench)
    expect(all).toBe(unwarmed.requests.length)
  })

it.skipIf(!compiler)('a freeze comes in the time that counts, behind the warm-up', async () => {
  const { log } = await attempt(ours(), scenarios.freeze, bench)
  const waited = log.requests.filter(({ arrivedUs, sentUs }) => (sentUs ?? 0) - arrivedUs > 50_000)
  expect(waited.length).toBeGreaterThan(0)
})

it.skipIf(!compiler)(
  'a first connection that is held comes a second later, and its request is served',
  async () => {
    const { log, report } = await attempt(ours(), scenarios.connect, bench)
    expect(log.requests).toHaveLength(reportedTotal(report!))
    expect(log.requests.length).toBeGreaterThan(0)
  },
)

it.skipIf(!compiler)('a tool that hangs is ended and said to hang', async () => {
  const script = join(folder, 'hang.mjs')
  writeFileSync(script, 'setInterval(() => {}, 1000)')
  const hanging = { ...ours(), hasEdges: false, command: () => [process.execPath, script] }
  const { failure } = await attempt(hanging, { ...scenarios.close, seconds: -5.5 }, bench)
  expect(failure).toMatch(/had not ended/)
  expect(processesOf(runId)).toEqual([])
})

it.skipIf(!compiler)('an interrupted table leaves neither processes nor folders', async () => {
  const workspace = createWorkspace()
  const running = workspace.startMeshbench('truth', '--tool', 'open-loop', '--out', 'table')
  try {
    const prefix = 'meshbench-'
    const owned = () =>
      readdirSync(tmpdir()).filter((name) => name.startsWith(prefix) && processesOf(runIdOf(name)).length > 0)
    const runIdOf = (name: string) => name.slice(prefix.length).replace(/-[^-]*$/, '')
    const before = await vi.waitFor(
      () => {
        const [state] = owned().filter((name) =>
          processesOf(runIdOf(name)).some(({ command }) => command.includes('truth-server')),
        )
        if (state === undefined) throw new Error('no server yet')
        return state
      },
      { timeout: 60_000, interval: 20 },
    )
    running.kill('SIGTERM')
    expect((await running.exited).code).toBe(130)
    await vi.waitFor(() => expect(processesOf(runIdOf(before))).toEqual([]), { timeout: 10_000 })
    expect(readdirSync(tmpdir())).not.toContain(before)
  } finally {
    running.kill('SIGKILL')
    workspace.remove()
  }
})

it('a tool that is unknown is named with those that are', async () => {
  const workspace = createWorkspace()
  try {
    const { code, stderr } = await workspace.meshbench('truth', '--tool', 'curl')
    expect(code).toBe(2)
    expect(stderr).toContain('"curl" is unknown')
    expect(stderr).toContain('open-loop')
  } finally {
    workspace.remove()
  }
})
