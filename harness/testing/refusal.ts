/** What the command line answers to what it cannot do. */
import { expect } from 'vitest'
import type { Workspace } from './cli.js'

/** What a refusal looks like: one screen, the right exit code, no stack trace. */
export async function expectRefusal(
  workspace: Workspace,
  args: string[],
  exitCode: number,
  ...parts: string[]
) {
  const { code, stderr } = await workspace.meshbench(...args)
  for (const part of parts) expect(stderr).toContain(part)
  expect(code).toBe(exitCode)
  expect(stderr.trimEnd().split('\n').length).toBeLessThan(25)
  expect(stderr).not.toMatch(/^\s+at /m)
}
