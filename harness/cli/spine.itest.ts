/** Whole runs through the real command line, with real processes: what a user sees, and what is left behind. */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { RunResult } from '../process/exec.js'
import type { JournalEntry, RunHeader, Running } from '../model.js'
import { packageRoot } from '../process/package-root.js'
import { createWorkspace, noPage, smallConfig, type Workspace } from '../testing/cli.js'
import { processesOf } from '../testing/processes.js'
import { test } from '../testing/workspace-test.js'
import { findGroups } from '../../infra/platforms/local/groups.js'
import { imageBundles, type ImageName } from '../../infra/images/bundles.js'
import { expectRefusal } from '../testing/refusal.js'
import { lastAttempts, trialsOf } from '../testing/trials.js'

/** Whether a command line runs one of the bundled programs: from the store the name carries a hash, when compiled not. */
const runs = (command: string, image: ImageName) => new RegExp(`/${image}(-\\w+)?\\.mjs `).test(command)

/** Put before a program, it keeps it from hearing what would end it in good order. */
const deafToSigterm = `{
  const { on } = process
  on.call(process, 'SIGTERM', () => {})
  process.on = process.once = function (name, listener) {
    return name === 'SIGTERM' ? this : on.call(this, name, listener)
  }
}
`

const stateDirsOf = (runId: string) =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`meshbench-${runId}-`))

/** Waits until the journal holds an entry that `found` accepts. */
async function awaitEntry(
  workspace: Workspace,
  name: string,
  found: (entry: JournalEntry) => boolean,
): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 50) {
    if (existsSync(workspace.path(`${name}/journal.jsonl`))) {
      try {
        if (workspace.journal(name).entries.some(found)) return
      } catch {
        // The header is still being written.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the journal never got there')
}

function runIdOf(workspace: Workspace, name: string): string {
  return workspace.journal(name).header.runId
}

async function drain(running: Running): Promise<string[]> {
  const lines: string[] = []
  for await (const line of running.lines) lines.push(line)
  return lines
}

/** A run that has come as far as `found`: its process, its id, and what it prints by its end. */
async function startedRun(workspace: Workspace, found: JournalEntry['type'], ...args: string[]) {
  const running = workspace.startMeshbench('run', '--out', 'out', ...args)
  const output = drain(running)
  await awaitEntry(workspace, 'out', (entry) => entry.type === found)
  return { running, output, runId: runIdOf(workspace, 'out') }
}

/** The id of a run that was killed after its first trial, and has left its processes behind. */
async function killedRun(workspace: Workspace, ...args: string[]): Promise<string> {
  const { running, runId } = await startedRun(workspace, 'trial', ...noPage, ...args)
  running.kill('SIGKILL')
  await running.exited
  expect(processesOf(runId).length).toBeGreaterThan(3)
  return runId
}

async function expectNothingLeft(runId: string): Promise<void> {
  expect([processesOf(runId), stateDirsOf(runId), await findGroups(runId)]).toEqual([[], [], []])
}

describe('a run', () => {
  // From source, as `npm run bench` does it; its checks and refusals read what it left.
  const workspace = createWorkspace({ source: packageRoot })
  let ended: RunResult
  let entries: readonly JournalEntry[]
  let header: RunHeader
  const config = {
    ...smallConfig,
    arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'] },
  }
  beforeAll(async () => {
    workspace.writeConfig(config)
    ended = await workspace.meshbench('run', '--out', 'out')
    ;({ entries, header } = workspace.journal('out'))
  })
  afterAll(() => workspace.remove())

  test('measures every arm, proves every path, writes its outputs and leaves nothing behind', async () => {
    expect(ended.stderr).toBe('')
    expect(ended.code).toBe(0)
    expect(ended.stdout).toContain('report: out/report.html')
    const trials = lastAttempts(entries)
    expect(trials.map(({ state, error, reasons }) => [state, error?.message, ...reasons])).toEqual(
      trials.map(() => ['ok', undefined]),
    )
    expect(trials).toHaveLength(header.plan.order.length)
    for (const trial of trials) {
      // Counters of every L7 hop and of the server equal what was sent, to the request.
      const requests = String((trial.load?.sent ?? 0) + (trial.load?.warmupSent ?? 0))
      for (const check of trial.proof.filter(({ name }) => name.startsWith('requests at'))) {
        expect([trial.cell, check.name, check.actual]).toEqual([trial.cell, check.name, requests])
      }
    }
    const environment = entries.find((entry) => entry.type === 'environment')
    expect(environment?.proofs['reference/l4-l7-l4']).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'plaintext refused at waypoint', ok: true })]),
    )
    expect(readFileSync(workspace.path('out/report.html'), 'utf8')).toMatch(/^<!doctype html>/i)
    expect(JSON.parse(readFileSync(workspace.path('out/analysis.json'), 'utf8'))).toMatchObject({
      schema: 1,
      outcome: 'complete',
    })
    await expectNothingLeft(header.runId)
  })

  test('can be rendered again from its journal and nothing else', async () => {
    const again = await workspace.meshbench('report', 'out', '--out', 'again')
    expect(again.code).toBe(0)
    expect(readFileSync(workspace.path('again/report.html'), 'utf8')).toBe(
      readFileSync(workspace.path('out/report.html'), 'utf8'),
    )
  })

  test('has nothing that a gate could judge, which says what is missing', async () => {
    const nothing = await workspace.meshbench('gate', 'out')
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('nothing to judge')])
  })

  test('cannot be resumed with another plan', async () => {
    await expectRefusal(workspace, ['run', '--resume', 'out', '--rounds', '3'], 2, 'the plan differs')
    workspace.writeConfig({ ...config, seed: 5 })
    await expectRefusal(workspace, ['run', '--resume', 'out'], 2, 'the plan differs')
  })
})

describe.concurrent('kill -9 in mid-trial', () => {
  // Long enough to be struck in the middle.
  const long = {
    ...smallConfig,
    experiments: { latency: { ratesPerSecond: [200], connections: 4, warmupMs: 100, durationMs: 1000 } },
  }

  test.for([
    ['a tunnel', 'tunnel', 'hop-died', 'reference/l4-only'],
    ['a proxy', 'proxy', 'hop-died', 'reference/l7-sidecar-to-sidecar'],
    ['the generator', 'loadgen', 'generator-died', undefined],
    ['the server', 'echo', 'hop-died', undefined],
  ] as const)(
    'of %s: the trial is failed with the reason, the journal parses, nothing is left',
    async ([_name, image, kind, arm], { workspace }) => {
      workspace.writeConfig(long)
      const { running, output, runId } = await startedRun(workspace, 'environment')
      const { order } = workspace.journal('out').header.plan
      // A trial that goes through the victim has to be in progress, with its generator there, whoever is killed.
      let victim: { pid: number } | undefined
      for (let tries = 0; tries < 1_000 && !victim; tries++) {
        const done = trialsOf(workspace.journal('out').entries).at(-1)?.index ?? -1
        const through = order[done + 1]?.cell.split('|')[1] ?? ''
        const alive = processesOf(runId)
        if ((arm ?? through) === through && alive.some(({ command }) => runs(command, 'loadgen')))
          victim = alive.find(({ command }) => runs(command, image))
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
      expect(victim).toBeDefined()
      process.kill(victim?.pid ?? 0, 'SIGKILL')
      const { code } = await running.exited
      const lines = await output
      const { entries } = workspace.journal('out')
      const failed = trialsOf(entries).filter(({ state }) => state === 'failed')
      expect(failed[0]?.error?.kind).toBe(kind)
      expect(failed[0]?.error?.message).toContain('SIGKILL')
      if (arm) expect(new Set(failed.map(({ cell }) => cell.split('|')[1]))).toEqual(new Set([arm]))
      if (image === 'echo') {
        expect(code).toBe(4)
        expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'failed' })
      } else {
        // A trial of a killed generator is run again; an arm whose only trial failed has nothing to show.
        const expected = image === 'loadgen' ? 0 : 1
        expect([code, lines.join('\n')]).toEqual([expected, expect.stringContaining('SIGKILL')])
        expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
      }
      await expectNothingLeft(runId)
    },
  )

  test('of meshbench itself: clean ends what is left, resume completes the run', async ({ workspace }) => {
    workspace.writeConfig(smallConfig)
    const runId = await killedRun(workspace)
    const dry = await workspace.meshbench('clean', runId, '--dry-run')
    expect(dry.stdout).toContain(`of run ${runId}`)
    expect(processesOf(runId).length).toBeGreaterThan(3)
    const cleaned = await workspace.meshbench('clean', runId)
    expect([cleaned.code, cleaned.stdout]).toEqual([0, expect.stringContaining(`of run ${runId}`)])
    await expectNothingLeft(runId)

    const resumed = await workspace.meshbench('run', '--resume', 'out', ...noPage)
    expect([resumed.code, resumed.stderr]).toEqual([0, ''])
    const { entries, header } = workspace.journal('out')
    const measured = lastAttempts(entries).map(({ index }) => index)
    expect(measured.sort((a, b) => a - b)).toEqual(header.plan.order.map(({ index }) => index))
    expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
  })
})

test.concurrent(
  'a run that was killed is resumed at once, with its own config: what it left is removed first',
  async ({ workspace }) => {
    workspace.writeConfig(smallConfig)
    renameSync(workspace.path('bench.config.ts'), workspace.path('ci.config.ts'))
    workspace.writeConfig({ ...smallConfig, seed: 5 })
    const runId = await killedRun(workspace, '--config', './ci.config.ts')
    expect(workspace.journal('out').header.flags).toEqual({ config: 'ci.config.ts' })
    const resumed = await workspace.meshbench('run', '--resume', 'out', ...noPage)
    expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringContaining(`of run ${runId}`)])
    expect(workspace.journal('out').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
    await expectNothingLeft(runId)
  },
)

test.concurrent(
  'an interrupt takes everything down, keeps what was measured, and writes a partial report',
  async ({ workspace }) => {
    workspace.writeConfig(smallConfig)
    const { running, runId } = await startedRun(workspace, 'trial', '--rounds', '50')
    // As `npm run` does it: the terminal and npm both send one.
    process.kill(running.pid ?? 0, 'SIGINT')
    process.kill(running.pid ?? 0, 'SIGINT')
    const { code } = await running.exited
    expect(code).toBe(130)
    expect(workspace.journal('out').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'interrupted' })
    expect(JSON.parse(readFileSync(workspace.path('out/analysis.json'), 'utf8'))).toMatchObject({
      outcome: 'interrupted',
    })
    expect(readFileSync(workspace.path('out/report.html'), 'utf8')).toContain('artial')
    await expectNothingLeft(runId)
  },
)

test.concurrent.for([
  ['a closed terminal', 'SIGHUP'],
  ['SIGTERM', 'SIGTERM'],
] as const)('%s takes everything down, too', async ([, signal], { workspace }) => {
  workspace.writeConfig(smallConfig)
  const { running, runId } = await startedRun(workspace, 'environment', '--rounds', '50', ...noPage)
  process.kill(running.pid ?? 0, signal)
  expect((await running.exited).code).toBe(130)
  expect(workspace.journal('out').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'interrupted' })
  await expectNothingLeft(runId)
})

test.concurrent(
  'a run of nohup outlives its terminal, in a temporary folder with a space, named from here',
  async ({ workspace }) => {
    workspace.writeConfig({ ...smallConfig, rounds: { min: 1, max: 1 } })
    mkdirSync(workspace.path('tmp folder'))
    const script = `export TMPDIR='tmp folder'
nohup "$@" run --out out --format json >nohup.out 2>&1 </dev/null & pid=$!
until grep -q '"type":"environment"' out/journal.jsonl 2>/dev/null; do sleep 0.05; kill -0 $pid || break; done
kill -HUP $pid; wait $pid`
    const { code, stderr } = await workspace.shell(script)
    const said = readFileSync(workspace.path('nohup.out'), 'utf8')
    expect([code, stderr, said]).toEqual([0, '', expect.stringContaining('report: out/analysis.json')])
    expect(workspace.journal('out').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
  },
)

test.concurrent('a run beside another is refused with its id until it is told to', async ({ workspace }) => {
  workspace.writeConfig(smallConfig)
  const { running, runId } = await startedRun(workspace, 'environment', '--rounds', '50', ...noPage)
  const name = `another run is being measured on this host: ${runId}`
  const [beside, plan, doctor] = await Promise.all([
    workspace.meshbench('run', '--out', 'beside'),
    workspace.meshbench('plan'),
    workspace.meshbench('doctor'),
  ])
  expect([beside.code, beside.stderr]).toEqual([3, expect.stringContaining(name)])
  expect([plan.code, plan.stderr]).toEqual([0, expect.stringContaining(name)])
  expect([doctor.code, doctor.stderr]).toEqual([0, expect.stringContaining(name)])
  expect(existsSync(workspace.path('beside'))).toBe(false)
  running.kill('SIGTERM')
  await running.exited
})

test.concurrent(
  'a run ends at once on a second Ctrl-C, refuses to be resumed before, and leaves nothing behind',
  async ({ workspace }) => {
    workspace.writeConfig(smallConfig)
    // Hops that do not end when asked to, so that taking down lasts.
    mkdirSync(workspace.path('stubborn'))
    const { tunnel, proxy } = await imageBundles()
    for (const { image, path } of [tunnel, proxy])
      writeFileSync(workspace.path(`stubborn/${image}.mjs`), deafToSigterm + readFileSync(path, 'utf8'))
    const variant = ['--variant', 'stubborn=bundles:stubborn']
    const args = ['--rounds', '50', ...variant, ...noPage]
    const { running, runId } = await startedRun(workspace, 'environment', ...args)
    const refused = await workspace.meshbench('run', '--resume', 'out')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('still being measured')])
    process.kill(running.pid ?? 0, 'SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    process.kill(running.pid ?? 0, 'SIGINT')
    expect((await running.exited).code).toBe(130)
    for (let tries = 0; tries < 40 && processesOf(runId).length > 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 50))
    await expectNothingLeft(runId)
    expect(workspace.journal('out').entries.at(-1)?.type).not.toBe('end')
  },
)

test.concurrent('a reader that goes away neither ends a run nor shows as a bug', async ({ workspace }) => {
  workspace.writeConfig({ ...smallConfig, rounds: { min: 1, max: 1 } })
  const { code, stdout, stderr } = await workspace.shell(
    '"$@" run --out out | head -1; exit ${PIPESTATUS[0]}',
  )
  expect([code, stdout.split('\n').length, stderr]).toEqual([0, 2, ''])
  expect(existsSync(workspace.path('out/report.html'))).toBe(true)
  const full = await workspace.shell('"$@" list > /dev/full')
  expect([full.code, full.stderr]).toEqual([
    4,
    expect.stringMatching(/^meshbench: cannot write the output: .*\n$/),
  ])
})
