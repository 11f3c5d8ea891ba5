/** A limit of CPU on the kernel's own control groups: a process gets its share and no more, and the group goes with the run. */
import { expect, test } from 'vitest'
import { readProcess } from '../../../harness/process/probes/process.js'
import { startWaiting, withScope } from '../../../harness/testing/scope.js'
import { findGroups } from './groups.js'
import { createQuotas, tryQuota } from './quota.js'

/** Burns what it can get for a second, by the clock that does not stand still with it. */
const burner = `
process.stdin.once('data', () => {
  const end = performance.now() + 1000
  while (performance.now() < end);
  console.log('done')
})
console.log('ready')
`

test('a component gets the cores that it may use and no more, and nothing is left of the limit', async (context) => {
  const [unmet] = await tryQuota()
  if (unmet) {
    console.log(`skipped: this host sets no limits of CPU: ${unmet.found}`)
    return context.skip()
  }
  const runId = `quota-test-${process.pid}`
  await withScope(runId, async (scope) => {
    const quotas = createQuotas(scope)
    const { pid, go } = await startWaiting(scope, burner)
    await quotas.limit('some/component', pid, 0.1)
    const before = await readProcess(pid)
    await go()
    const after = await readProcess(pid)
    // A tenth of a second, and what a period more or less makes; a process without a limit would use ten times as much.
    expect(after.cpuNs - before.cpuNs).toBeLessThan(200e6)
    expect((await findGroups(runId)).length).toBe(1)
    await expect(quotas.limit('some/other', 2 ** 22 + 1, 0.1)).rejects.toThrow('ESRCH')
  })
  expect(await findGroups(runId)).toEqual([])
})
