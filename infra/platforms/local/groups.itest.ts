import { expect, test } from 'vitest'
import { readProcess } from '../../../harness/process/probes/process.js'
import { startWaiting, withScope } from '../../../harness/testing/scope.js'
import { createGroups, findGroups } from './groups.js'

/** Starts a child that burns CPU and ends, then stays without doing anything. */
const parent = `
const { execFileSync } = require('node:child_process')
process.stdin.once('data', () => {
  execFileSync(process.execPath, ['-e', 'const end = Date.now() + 400; while (Date.now() < end);'])
  console.log('done')
  setInterval(() => {}, 1000)
})
console.log('ready')
`

test('a group counts the CPU of what a component has started, and is gone with the run', async (context) => {
  const runId = `groups-test-${process.pid}`
  await withScope(runId, async (scope) => {
    const groups = await createGroups(scope)
    if (!groups) {
      console.log('skipped: this host does not let us make control groups')
      context.skip()
      return
    }
    const { pid, go } = await startWaiting(scope, parent)
    expect(await groups.place('some/component', pid)).toBe(true)
    expect(await groups.place('some/other', 2 ** 22 + 1)).toBe(false)
    const [before, ownBefore] = [await groups.read('some/component'), await readProcess(pid)]
    await go()
    const [after, ownAfter] = [await groups.read('some/component'), await readProcess(pid)]
    const rise = (after?.cpuNs ?? 0) - (before?.cpuNs ?? 0)
    // The child's own CPU is in the group, and not in the counters of the process that is left.
    expect(rise).toBeGreaterThan(100e6)
    expect(ownAfter.cpuNs - ownBefore.cpuNs).toBeLessThan(rise / 2)
    expect(after?.source).toMatch(/^cgroup-v[12]$/)
    expect(await groups.read('nobody')).toBeUndefined()
    expect((await findGroups(runId)).length).toBe(1)
  })
  expect(await findGroups(runId)).toEqual([])
})
