import { existsSync, readdirSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { processesOf } from '../testing/processes.js'
import { withAwakeCores } from './awake.js'
import { run } from './exec.js'

/** Control groups of spinners, wherever they are made. */
const groups = (starter: number | string = '') =>
  ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup']
    .filter((root) => existsSync(root))
    .flatMap((root) => readdirSync(root).filter((name) => name.startsWith(`meshbench-awake-${starter}`)))

const awake = new URL('./awake.ts', import.meta.url).href

test('spinners run beside what is measured and end with it, however it ends', async () => {
  const runId = `awake-test-${process.pid}`
  await withAwakeCores(() => vi.waitFor(() => expect(processesOf(runId)).not.toEqual([])), { runId })
  expect(processesOf(runId)).toEqual([])
  const failing = withAwakeCores(() => Promise.reject(new Error('no')), { runId })
  await expect(failing).rejects.toThrow('no')
  expect([...processesOf(runId), ...groups(process.pid)]).toEqual([])
})

test('they end with who started them, killed or not', async () => {
  const runId = `awake-kill-${process.pid}`
  const code = `
    const { withAwakeCores } = await import(${JSON.stringify(awake)})
    console.log(process.pid)
    const end = () => process.argv.includes('exit') ? process.exit(3) : process.kill(process.pid, 'SIGKILL')
    await withAwakeCores(async () => setTimeout(end, 500) && new Promise(() => {}), { runId: ${JSON.stringify(runId)} })
  `
  for (const way of ['exit', 'kill']) {
    const argv = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', code, way]
    const { code: status, stdout } = await run(argv, { allowFailure: true })
    expect(status).not.toBe(0)
    const left = () => [...processesOf(runId), ...groups(stdout.trim())]
    if (way === 'exit') expect(left()).toEqual([])
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 20_000, interval: 100 })
  }
})
