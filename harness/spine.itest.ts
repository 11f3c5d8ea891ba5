/** Whole runs through the real command line, with real processes: what a user sees, and what is left behind. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run, runIdVariable } from './exec.js'
import type { JournalEntry, Running, Trial } from './model.js'
import { packageRoot } from './package-root.js'
import { createWorkspace, smallConfig, type Workspace } from './testing/cli.js'

let workspace: Workspace
beforeEach(() => {
  workspace = createWorkspace()
})
afterEach(() => workspace.remove())

const trialsOf = (entries: readonly JournalEntry[]) =>
  entries.filter((entry): entry is Trial => entry.type === 'trial')

/** Processes that carry the run id in their environment. */
function processesOf(runId: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${runIdVariable}=${runId}`)) return []
        return [
          { pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') },
        ]
      } catch {
        return []
      }
    })
}

const stateDirsOf = (runId: string) =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`meshbench-${runId}-`))

/** Waits until the journal holds an entry that `found` accepts. */
async function awaitEntry(name: string, found: (entry: JournalEntry) => boolean): Promise<void> {
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

function runIdOf(name: string): string {
  return workspace.journal(name).header.runId
}

async function drain(running: Running): Promise<string[]> {
  const lines: string[] = []
  for await (const line of running.lines) lines.push(line)
  return lines
}

test('a run measures every arm, proves every path, writes its outputs and leaves nothing behind', async () => {
  workspace.writeConfig({
    ...smallConfig,
    arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'] },
  })
  const { code, stdout, stderr } = await workspace.meshbench('run', '--out', 'out')
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout).toContain('report: out/report.html')
  const { entries, header } = workspace.journal('out')
  const trials = trialsOf(entries)
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
  expect(processesOf(header.runId)).toEqual([])
  expect(stateDirsOf(header.runId)).toEqual([])

  // The report can be rendered again from the journal and nothing else.
  const again = await workspace.meshbench('report', 'out', '--out', 'again')
  expect(again.code).toBe(0)
  expect(readFileSync(workspace.path('again/report.html'), 'utf8')).toBe(
    readFileSync(workspace.path('out/report.html'), 'utf8'),
  )
})

test('variants are measured side by side: a build of a ref, a setting, and the gate that judges them', async () => {
  workspace.writeConfig({ ...smallConfig, arms: { reference: ['l7-per-node'] } })
  const variants = ['--variant', 'old=git:HEAD', '--variant', 'burn=set:proxy.filters.burn.cpuUs=3000']
  const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...variants)
  expect([code, stderr]).toEqual([0, ''])
  const { entries, header } = workspace.journal('out')
  const subjects = header.plan.arms.filter(({ role }) => role === 'subject').map(({ id }) => id)
  expect(subjects).toEqual(['reference/l7-per-node@old', 'reference/l7-per-node@burn'])
  const [old] = header.plan.config.variants ?? []
  expect(old?.builds.proxy).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
  const environment = entries.find((entry) => entry.type === 'environment')
  expect(environment?.facts.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['variant old', 'variant burn']),
  )
  expect(trialsOf(entries).map(({ state }) => state)).toEqual(header.plan.order.map(() => 'ok'))
  // Only the variant's own proxy burns the 3 ms of CPU per request.
  const cpuMsPerRequest = (variant: string) =>
    trialsOf(entries)
      .filter(({ cell }) => cell.includes(`@${variant}|`))
      .map(({ load, usage }) => {
        const proxy = usage?.components.find(({ component }) => component.includes(`@${variant}/`))
        return (proxy?.cpuNs ?? 0) / 1e6 / (load?.sent ?? 1)
      })
  expect(Math.min(...cpuMsPerRequest('burn'))).toBeGreaterThan(2.5)
  expect(Math.max(...cpuMsPerRequest('old'))).toBeLessThan(2.5)
  const judged = await workspace.meshbench('gate', 'out', '--inconclusive', 'fail')
  expect(judged.code).toBe(1)
  expect(judged.stdout).toMatch(/ cpu\.per1000Requests of reference\/l7-per-node@burn against .*@old /)
  const { stdout: worktrees } = await run(['git', '-C', packageRoot, 'worktree', 'list'])
  expect(worktrees).not.toContain('meshbench-worktree-')
})

test('a gate has something to judge, or says what is missing', async () => {
  workspace.writeConfig({ ...smallConfig, arms: { reference: ['l7-per-node'] }, rounds: { min: 1, max: 1 } })
  expect((await workspace.meshbench('run', '--out', 'out')).code).toBe(0)
  const nothing = await workspace.meshbench('gate', 'out')
  expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('nothing to judge')])
})

describe('kill -9 in mid-trial', () => {
  const long = {
    ...smallConfig,
    experiments: { latency: { ratesPerSecond: [200], connections: 4, warmupMs: 100, durationMs: 1500 } },
  }

  test.each([
    ['a tunnel', 'tunnel-', 'hop-died', 'reference/l4-only'],
    ['a proxy', 'proxy-', 'hop-died', 'reference/l7-sidecar-to-sidecar'],
    ['the generator', 'loadgen-', 'generator-died', undefined],
    ['the server', 'echo-', 'hop-died', undefined],
  ])(
    'of %s: the trial is failed with the reason, the journal parses, nothing is left',
    async (_name, bundle, kind, arm) => {
      workspace.writeConfig(long)
      const running = workspace.startMeshbench('run', '--out', 'out')
      const output = drain(running)
      await awaitEntry('out', (entry) => entry.type === 'environment')
      const runId = runIdOf('out')
      // The generator of a trial in progress has to be there, whoever is killed.
      let victim: { pid: number } | undefined
      for (let tries = 0; tries < 400 && !victim; tries++) {
        const alive = processesOf(runId)
        if (alive.some(({ command }) => command.includes('loadgen-')))
          victim = alive.find(({ command }) => command.includes(bundle))
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
      if (bundle === 'echo-') {
        expect(code).toBe(4)
        expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'failed' })
      } else {
        expect([code, lines.join('\n')]).toEqual([0, expect.stringContaining('SIGKILL')])
        expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
      }
      expect(processesOf(runId)).toEqual([])
      expect(stateDirsOf(runId)).toEqual([])
    },
  )

  test('of meshbench itself: clean ends what is left, resume completes the run', async () => {
    workspace.writeConfig(long)
    const running = workspace.startMeshbench('run', '--out', 'out')
    void drain(running)
    await awaitEntry('out', (entry) => entry.type === 'trial')
    const runId = runIdOf('out')
    running.kill('SIGKILL')
    await running.exited
    expect(processesOf(runId).length).toBeGreaterThan(3)

    const dry = await workspace.meshbench('clean', runId, '--dry-run')
    expect(dry.stdout).toContain(`of run ${runId}`)
    expect(processesOf(runId).length).toBeGreaterThan(3)
    const cleaned = await workspace.meshbench('clean', runId)
    expect([cleaned.code, cleaned.stdout]).toEqual([0, expect.stringContaining(`of run ${runId}`)])
    expect(processesOf(runId)).toEqual([])
    expect(stateDirsOf(runId)).toEqual([])

    const resumed = await workspace.meshbench('run', '--resume', 'out')
    expect([resumed.code, resumed.stderr]).toEqual([0, ''])
    const { entries, header } = workspace.journal('out')
    const measured = trialsOf(entries).map(({ index }) => index)
    expect(measured.sort((a, b) => a - b)).toEqual(header.plan.order.map(({ index }) => index))
    expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
  })
})

test('a run that was killed is resumed at once: what it left is removed first', async () => {
  workspace.writeConfig({ ...smallConfig, rounds: { min: 3, max: 3 } })
  const running = workspace.startMeshbench('run', '--out', 'out')
  void drain(running)
  await awaitEntry('out', (entry) => entry.type === 'trial')
  const runId = runIdOf('out')
  running.kill('SIGKILL')
  await running.exited
  const left = processesOf(runId)
  expect(left.length).toBeGreaterThan(3)
  const resumed = await workspace.meshbench('run', '--resume', 'out')
  expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringContaining(`of run ${runId}`)])
  expect(workspace.journal('out').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
  expect(processesOf(runId)).toEqual([])
  expect(stateDirsOf(runId)).toEqual([])
})

test('an interrupt takes everything down, keeps what was measured, and writes a partial report', async () => {
  workspace.writeConfig(smallConfig)
  const running = workspace.startMeshbench('run', '--rounds', '50', '--out', 'out')
  void drain(running)
  await awaitEntry('out', (entry) => entry.type === 'trial')
  const runId = runIdOf('out')
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
  expect(processesOf(runId)).toEqual([])
  expect(stateDirsOf(runId)).toEqual([])
})

test.each([
  ['a closed terminal', ['SIGHUP']],
  ['SIGTERM', ['SIGTERM']],
] as const)('%s takes everything down, too', async (_name, signals) => {
  workspace.writeConfig(smallConfig)
  const running = workspace.startMeshbench('run', '--rounds', '50', '--out', 'out')
  void drain(running)
  await awaitEntry('out', (entry) => entry.type === 'environment')
  const runId = runIdOf('out')
  for (const signal of signals) process.kill(running.pid ?? 0, signal)
  expect((await running.exited).code).toBe(130)
  expect(workspace.journal('out').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'interrupted' })
  expect([processesOf(runId), stateDirsOf(runId)]).toEqual([[], []])
})

test('a run ends at once on a second Ctrl-C, refuses to be resumed before, and leaves neither process nor key', async () => {
  workspace.writeConfig(smallConfig)
  const running = workspace.startMeshbench('run', '--rounds', '50', '--out', 'out')
  void drain(running)
  await awaitEntry('out', (entry) => entry.type === 'environment')
  const runId = runIdOf('out')
  const refused = await workspace.meshbench('run', '--resume', 'out')
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('still being measured')])
  // A server that is stopped does not end when asked to, so that taking down lasts.
  for (const { pid, command } of processesOf(runId))
    if (command.includes('echo-')) process.kill(pid, 'SIGSTOP')
  process.kill(running.pid ?? 0, 'SIGINT')
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  process.kill(running.pid ?? 0, 'SIGINT')
  expect((await running.exited).code).toBe(130)
  for (let tries = 0; tries < 40 && processesOf(runId).length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  expect([processesOf(runId), stateDirsOf(runId)]).toEqual([[], []])
  expect(workspace.journal('out').entries.at(-1)?.type).not.toBe('end')
})

test('a reader that goes away neither ends a run nor shows as a bug', async () => {
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

describe('bad input is answered on one screen, with the right exit code and no stack trace', () => {
  const expectRefusal = async (args: string[], exitCode: number, ...parts: string[]) => {
    const { code, stderr } = await workspace.meshbench(...args)
    for (const part of parts) expect(stderr).toContain(part)
    expect(code).toBe(exitCode)
    expect(stderr.trimEnd().split('\n').length).toBeLessThan(25)
    expect(stderr).not.toMatch(/^\s+at /m)
  }

  test('no config', () => expectRefusal(['run'], 2, 'no config at bench.config.ts', 'meshbench init'))

  test('a config with many problems', async () => {
    workspace.writeConfig({
      sed: 1,
      arms: { refrence: ['l4-only'], reference: ['l4'] },
      experiments: { latency: { ratesPerSecond: [-1] } },
    })
    await expectRefusal(['run'], 2, '"sed"', 'refrence', '"l4" is not allowed')
  })

  test('a config that does not load', async () => {
    writeFileSync(workspace.path('bench.config.ts'), 'export default {')
    await expectRefusal(['run'], 2, 'bench.config.ts does not load')
  })

  test('flags that make no sense', async () => {
    workspace.writeConfig(smallConfig)
    await expectRefusal(['run', '--rate', '-5'], 2, "'-5' is invalid")
    await expectRefusal(['run', '--rounds', '0'], 2, 'a whole number from 1 is needed')
    await expectRefusal(['run', '--profile', 'huge'], 2, 'Allowed choices are smoke, quick, full')
    await expectRefusal(['run', '--arm', 'l9'], 2, '"l9" is not an arm')
    await expectRefusal(['run', '--colour'], 2, "unknown option '--colour'")
  })

  test('an occupied output folder', async () => {
    workspace.writeConfig(smallConfig)
    mkdirSync(workspace.path('out'))
    writeFileSync(workspace.path('out/precious'), 'data')
    await expectRefusal(['run', '--out', 'out'], 2, 'out is not empty', '--resume')
    expect(readdirSync(workspace.path('out'))).toEqual(['precious'])
  })

  test('a journal that is missing, half-written or another thing', async () => {
    await expectRefusal(['report', 'nowhere'], 2, 'no journal at')
    mkdirSync(workspace.path('out'))
    writeFileSync(workspace.path('out/journal.jsonl'), '{"type":"run","sch')
    await expectRefusal(['report', 'out'], 2, 'has no header')
    writeFileSync(workspace.path('out/journal.jsonl'), 'hello\n')
    await expectRefusal(['report', 'out'], 2, 'line 1 is not JSON')
  })

  test('a run that cannot be resumed', async () => {
    workspace.writeConfig(smallConfig)
    const { code } = await workspace.meshbench('run', '--out', 'out', '--rounds', '1')
    expect(code).toBe(0)
    await expectRefusal(['run', '--resume', 'out', '--rounds', '3'], 2, 'the plan differs')
    workspace.writeConfig({ ...smallConfig, seed: 5 })
    await expectRefusal(['run', '--resume', 'out'], 2, 'the plan differs')
  })

  test('a missing binary', async () => {
    workspace.writeConfig({ ...smallConfig, arms: { envoy: ['l4-only'] } })
    const env = { ENVOY_BIN: '/nowhere/envoy' }
    const doctor = await workspace.meshbenchWith(env, 'doctor')
    expect([doctor.code, doctor.stdout]).toEqual([3, expect.stringContaining('/nowhere/envoy')])
    const nothingLeft = await workspace.meshbenchWith(env, 'run', '--out', 'none')
    expect([nothingLeft.code, nothingLeft.stderr]).toEqual([3, expect.stringContaining('/nowhere/envoy')])

    workspace.writeConfig({ ...smallConfig, arms: { envoy: ['l4-only'], reference: ['l4-only'] } })
    const { code, stdout } = await workspace.meshbenchWith(env, 'run', '--out', 'out', '--rounds', '1')
    expect([code, stdout]).toEqual([0, expect.stringContaining('envoy/l4-only is left out')])
    expect(stdout).toContain('/nowhere/envoy')
  })

  test('a disk that is full', async (context) => {
    workspace.writeConfig(smallConfig)
    mkdirSync(workspace.path('small'))
    const mounted = await run(['mount', '-t', 'tmpfs', '-o', 'size=24k', 'tmpfs', workspace.path('small')], {
      allowFailure: true,
    }).catch(() => undefined)
    if (mounted?.code !== 0) {
      console.log('skipped: no small file system can be mounted here')
      return context.skip()
    }
    try {
      await expectRefusal(
        ['run', '--out', 'small/out', '--rounds', '20'],
        4,
        'cannot write the journal',
        'free some space',
      )
      expect(workspace.journal('small/out').header.type).toBe('run')
      expect(processesOf(runIdOf('small/out'))).toEqual([])
    } finally {
      await run(['umount', workspace.path('small')])
    }
  })
})
