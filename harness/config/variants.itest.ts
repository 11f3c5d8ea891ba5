/** Builds and settings side by side on real processes. CPU times are read here, so that nothing else may be measured beside. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { run } from '../process/exec.js'
import { packageRoot } from '../process/package-root.js'
import { noPage, smallConfig } from '../testing/cli.js'
import { test } from '../testing/workspace-test.js'
import { lastAttempts } from '../testing/trials.js'

test('variants are measured side by side: a build of a ref, a setting, and the gate that judges them', async ({
  workspace,
}) => {
  workspace.writeConfig({ ...smallConfig, arms: { reference: ['l7-per-node'] } })
  const variants = ['--variant', 'old=git:HEAD', '--variant', 'burn=set:proxy.filters.burn.cpuUs=3000']
  const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage, ...variants)
  expect([code, stderr]).toEqual([0, ''])
  const { entries, header } = workspace.journal('out')
  const trials = lastAttempts(entries)
  const subjects = header.plan.arms.filter(({ role }) => role === 'subject').map(({ id }) => id)
  expect(subjects).toEqual(['reference/l7-per-node@old', 'reference/l7-per-node@burn'])
  const [old] = header.plan.config.variants ?? []
  expect(old?.builds.proxy).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
  const environment = entries.find((entry) => entry.type === 'environment')
  expect(environment?.facts.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['variant old', 'variant burn']),
  )
  expect(trials.map(({ state }) => state)).toEqual(header.plan.order.map(() => 'ok'))
  // Only the variant's own proxy burns the 3 ms of CPU per request.
  const cpuMsPerRequest = (variant: string) =>
    trials
      .filter(({ cell }) => cell.includes(`@${variant}|`))
      .map(({ load, usage }) => {
        const proxy = usage?.components.find(({ component }) => component.includes(`@${variant}/`))
        return (proxy?.cpuNs ?? 0) / 1e6 / (load?.sent ?? 1)
      })
  expect(Math.min(...cpuMsPerRequest('burn'))).toBeGreaterThan(2.5)
  expect(Math.max(...cpuMsPerRequest('old'))).toBeLessThan(2.5)
  const judged = await workspace.meshbench('gate', 'out', '--inconclusive', 'fail')
  expect(judged.code).toBe(1)
  expect(judged.stdout).toMatch(
    / reference\/l7-per-node@burn +reference\/l7-per-node@old +cpu\.per1000Requests /,
  )
})

test('an interrupt while a ref is built leaves nothing of it, neither here nor in the repository', async ({
  workspace,
}) => {
  workspace.writeConfig(smallConfig)
  const worktrees = () => run(['git', '-C', packageRoot, 'worktree', 'list']).then(({ stdout }) => stdout)
  const before = await worktrees()
  const running = workspace.startMeshbench('plan', '--variant', 'old=git:HEAD')
  const folders = () =>
    readdirSync(tmpdir()).filter((name) => {
      const owner = join(tmpdir(), name, 'owner.json')
      return name.startsWith('meshbench-') && existsSync(owner) && pidOf(owner) === running.pid
    })
  await expect.poll(folders, { timeout: 60_000, interval: 5 }).toHaveLength(1)
  const [folder = 'none'] = folders()
  process.kill(running.pid ?? 0, 'SIGINT')
  expect((await running.exited).code).toBe(130)
  expect(existsSync(join(tmpdir(), folder))).toBe(false)
  expect(await worktrees()).toBe(before)
})

/** Of the process that a folder belongs to; undefined while that is being written. */
function pidOf(owner: string): unknown {
  try {
    return (JSON.parse(readFileSync(owner, 'utf8')) as { pid?: unknown }).pid
  } catch {
    return undefined
  }
}
