import { expect, test, vi } from 'vitest'
import { processesOf } from '../testing/processes.js'
import { withAwakeCores } from './awake.js'
import { run } from './exec.js'

const awake = new URL('./awake.ts', import.meta.url).href

test('spinners run beside what is measured and end with it, however it ends', async () => {
  const runId = `awake-test-${process.pid}`
  await withAwakeCores(() => vi.waitFor(() => expect(processesOf(runId)).not.toEqual([])), { runId })
  expect(processesOf(runId)).toEqual([])
  const failing = withAwakeCores(() => Promise.reject(new Error('no')), { runId })
  await expect(failing).rejects.toThrow('no')
  expect(processesOf(runId)).toEqual([])
})

test('they end with who started them, killed or not', async () => {
  const runId = `awake-kill-${process.pid}`
  const code = `
    const { withAwakeCores } = await import(${JSON.stringify(awake)})
    await withAwakeCores(async () => process.kill(process.pid, 'SIGKILL'), { runId: ${JSON.stringify(runId)} })
  `
  const argv = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', code]
  expect((await run(argv, { allowFailure: true })).code).not.toBe(0)
  await vi.waitFor(() => expect(processesOf(runId)).toEqual([]), { timeout: 20_000, interval: 100 })
})
