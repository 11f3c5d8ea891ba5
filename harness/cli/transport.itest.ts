/** New connections, long transfers and engines of others through the real command line, on real processes. */
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { findProgram } from '../process/exec.js'
import type { Analysis, JournalEntry, Trial } from '../model.js'
import { noPage, smallConfig, type Workspace } from '../testing/cli.js'
import { test } from '../testing/workspace-test.js'
import { lastAttempts } from '../testing/trials.js'

const trialsOf = (entries: readonly JournalEntry[], experiment: string) =>
  lastAttempts(entries).filter(({ cell }) => cell.startsWith(`${experiment}|`))
const checkOf = (trial: Trial, name: RegExp) => trial.proof.find((check) => name.test(check.name))
const analysisOf = (workspace: Workspace) =>
  JSON.parse(readFileSync(workspace.path('out/analysis.json'), 'utf8')) as Analysis

test.concurrent(
  'new connections and long transfers: counts equal the server’s, bytes are whole, the report shows both',
  async ({ workspace }) => {
    const timing = { warmupMs: 100, durationMs: 400, rounds: 1 }
    const payloadBytes = 1024 * 1024
    workspace.writeConfig({
      ...smallConfig,
      arms: { reference: ['l4-only', 'l4-l7-l4'] },
      experiments: {
        connect: { ...timing, ratePerSecond: 100 },
        stream: { ...timing, connections: 2, payloadBytes },
      },
    })
    const { code, stdout, stderr } = await workspace.meshbench('run', '--out', 'out')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/connect: 100 new connections\/s/)
    expect(stdout).toMatch(/stream: closed loop, 2 connections, 1 MiB replies/)
    const { entries } = workspace.journal('out')
    for (const experiment of ['connect', 'stream']) {
      const trials = trialsOf(entries, experiment)
      expect(trials.map(({ state, error }) => [state, error?.message])).toEqual(
        [1, 2, 3, 4].map(() => ['ok', undefined]),
      )
      for (const { cell, load, proof } of trials) {
        const requests = String((load?.sent ?? 0) + (load?.warmupSent ?? 0))
        const counted = proof.filter(({ name }) => name.startsWith('requests at'))
        expect(counted.length).toBeGreaterThan(0)
        expect([cell, ...counted.map(({ actual }) => actual)]).toEqual([cell, ...counted.map(() => requests)])
        expect(load?.ok).toBe(load?.sent)
        expect(load?.bodyBytes).toBe((load?.ok ?? 0) * (experiment === 'stream' ? payloadBytes : 1024))
      }
    }
    for (const trial of trialsOf(entries, 'connect')) {
      const { load, tlsHandshakes, cell, usage } = trial
      // Every request is read, and every reply written, by calls of their own.
      const echo = usage?.components.find(({ category }) => category === 'application')
      expect(echo?.readSyscalls).toBeGreaterThanOrEqual(load?.sent ?? Infinity)
      expect(echo?.writeSyscalls).toBeGreaterThanOrEqual(load?.sent ?? Infinity)
      expect(load?.connectionsOpened).toBe((load?.sent ?? 0) + (load?.warmupSent ?? 0))
      expect([load?.connect?.count, load?.firstByte?.count]).toEqual([load?.sent, load?.ok])
      if (!cell.includes('reference/')) continue
      // Every connection reaches the first tunnel; the tunnels pool, so that few of them cost a handshake.
      expect(checkOf(trial, /^connections at client-tunnel$/)?.actual).toBe(String(load?.connectionsOpened))
      expect(tlsHandshakes).toBeLessThan((load?.connectionsOpened ?? 0) / 4)
    }
    const { cells } = analysisOf(workspace)
    const arms = ['none/baseline', 'none/baseline-twin', 'reference/l4-only', 'reference/l4-l7-l4']
    expect(cells.filter(({ connect }) => connect).map(({ arm }) => arm)).toEqual(arms)
    expect(cells.filter(({ stream }) => stream).map(({ arm }) => arm)).toEqual(arms)
    const html = readFileSync(workspace.path('out/report.html'), 'utf8')
    expect(html).toContain('<section id="connections"')
    expect(html).toContain('<section id="transfers"')
  },
)

test.concurrent(
  'a tunnel that pools nothing shakes hands for every connection, and resumes sessions when it may',
  async ({ workspace }) => {
    workspace.writeConfig({
      ...smallConfig,
      arms: { reference: ['l4-only'] },
      experiments: { connect: { ratePerSecond: 50, warmupMs: 100, durationMs: 300 } },
      rounds: { min: 1, max: 1 },
    })
    const cold = 'set:tunnel.pool.multiplex=false'
    const changes = ['pooled=unchanged', `cold=${cold}`, `resumed=${cold},tunnel.pool.resume=true`]
    const variants = changes.flatMap((change) => ['--variant', change])
    const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage, ...variants)
    expect([code, stderr]).toEqual([0, ''])
    const trials = trialsOf(workspace.journal('out').entries, 'connect')
    expect(trials.map(({ cell, state, error }) => [cell, state, error?.message])).toEqual(
      trials.map(({ cell }) => [cell, 'ok', undefined]),
    )
    const share = (arm: string, counter: 'tlsHandshakes' | 'tlsResumptions' = 'tlsHandshakes') => {
      const trial = trials.find(({ cell }) => cell.includes(`|${arm}|`))
      return (trial?.[counter] ?? Number.NaN) / (trial?.load?.connectionsOpened ?? 1)
    }
    expect(share('reference/l4-only@cold')).toBe(1)
    expect(share('reference/l4-only@cold', 'tlsResumptions')).toBe(0)
    expect(share('reference/l4-only@resumed')).toBe(1)
    // The first connections have no session to resume.
    expect(share('reference/l4-only@resumed', 'tlsResumptions')).toBeGreaterThan(0.5)
    expect(share('reference/l4-only@pooled')).toBeLessThan(0.5)
  },
)

test.concurrent.for(['wrk', 'hey', 'h2load'])(
  '%s drives an experiment, and what it cannot give is said',
  async (engine, { workspace }) => {
    if ((await findProgram(engine)) === undefined) {
      console.log(`skipped: ${engine} is not on the PATH`)
      return
    }
    workspace.writeConfig({
      ...smallConfig,
      arms: { reference: ['l4-only'] },
      experiments: { saturation: { connections: 4, warmupMs: 100, durationMs: 300, rounds: 1 } },
    })
    const { code, stderr } = await workspace.meshbench('run', '--out', 'out', '--engine', engine)
    // Known of the tool beforehand, and said before it is asked.
    const known =
      engine === 'hey' ? '! hey tells times in steps of 100 µs: smaller differences are not seen\n' : ''
    expect([code, stderr]).toEqual([0, known])
    const trials = trialsOf(workspace.journal('out').entries, 'saturation')
    expect(trials.map(({ state, error }) => [state, error?.message])).toEqual(
      [1, 2, 3].map(() => ['ok', undefined]),
    )
    for (const { load } of trials) {
      expect(load?.engine).toBe(engine)
      expect(load?.response).toBeUndefined()
    }
    const analysis = analysisOf(workspace)
    expect(analysis.warnings.join('\n')).toContain(
      `saturation was driven by ${engine}, as was asked. What it cannot give: `,
    )
    expect(analysis.trials.every(({ unsent }) => unsent === undefined)).toBe(true)
    expect(analysis.cells[0]?.loadLabel.endsWith(` by ${engine}`)).toBe(true)
  },
)

test.concurrent(
  'an engine whose program is missing is told before anything is started',
  async ({ workspace }) => {
    workspace.writeConfig({ ...smallConfig, engines: { latency: 'wrk2' } })
    if ((await findProgram('wrk2')) !== undefined) return
    const { code, stderr } = await workspace.meshbench('run', '--out', 'out')
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /wrk2, which the engine of this name runs[\s\S]*no such program on the PATH[\s\S]*install wrk2/,
    )
  },
)

for (const protocol of ['h2', 'grpc'] as const)
  test.concurrent(`${protocol} passes every architecture`, async ({ workspace }) => {
    const timing = { warmupMs: 50, durationMs: 300 }
    workspace.writeConfig({
      ...smallConfig,
      // The second is left out where there is none.
      arms: {
        reference: ['l4-only', 'l7-per-node', 'l7-sidecar-to-sidecar', 'l4-l7-l4'],
        haproxy: ['l7-per-node', 'l7-sidecar-to-sidecar'],
      },
      experiments: { latency: { ratesPerSecond: [100], connections: 2, protocol, ...timing } },
      rounds: { min: 1, max: 1 },
    })
    await workspace.meshbench('run', '--out', 'out', ...noPage)
    const trials = trialsOf(workspace.journal('out').entries, 'latency')
    expect(trials.length).toBeGreaterThanOrEqual(6)
    expect(trials.map(({ state, load }) => [state, load?.ok])).toEqual(trials.map(() => ['ok', 30]))
  })
