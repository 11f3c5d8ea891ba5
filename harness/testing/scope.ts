/** What a run hands to platforms and meshes, for tests that need no whole run. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Progress, Scope } from '../model.js'
import { start } from '../process/exec.js'
import { openScope } from '../process/scope.js'

export const silentProgress: Progress = { step: (_title, run) => run(), note: () => {} }

/** A scope with a folder of its own, undone after `work`; what cannot be undone fails the test. */
export async function withScope(runId: string, work: (scope: Scope) => Promise<unknown>): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'meshbench-test-'))
  const scope = openScope({ runId, stateDir, signal: new AbortController().signal })
  try {
    await work(scope)
  } finally {
    expect(await scope.close()).toEqual([])
    await rm(stateDir, { recursive: true, force: true })
  }
}

/** A program of Node's that says `ready`, and `done` when it has been told to go; it ends with the scope. */
export async function startWaiting(scope: Scope, script: string) {
  const running = start({ argv: [process.execPath, '-e', script] })
  scope.defer('end it', async () => {
    running.kill('SIGKILL')
    await running.exited
  })
  const lines = running.lines[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('ready')
  const go = async () => {
    running.write('go\n')
    expect((await lines.next()).value).toBe('done')
  }
  return { pid: running.pid ?? 0, go }
}
