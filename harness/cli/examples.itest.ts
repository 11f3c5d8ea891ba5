/** The flags of the example workflows, as the command line takes them: what they would measure, and on what. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { run } from '../process/exec.js'
import { packageRoot } from '../process/package-root.js'

interface Workflow {
  readonly jobs: Readonly<
    Record<string, { readonly steps: readonly { readonly with?: { readonly flags?: unknown } }[] }>
  >
}

const folder = join(packageRoot, '.github/examples')
const given = readdirSync(folder).flatMap((name) =>
  Object.values((parse(readFileSync(join(folder, name), 'utf8')) as Workflow).jobs).flatMap(({ steps }) =>
    steps.flatMap(({ with: { flags } = {} }) =>
      typeof flags === 'string' ? [{ name, flags: flags.split('\n').filter((flag) => flag.trim()) }] : [],
    ),
  ),
)

const planOf = async (flags: readonly string[]) => {
  const cli = [process.execPath, '--import', 'tsx', join(packageRoot, 'harness/cli.ts')]
  // Not what only `run` knows, and what only a pull request does.
  const planned = flags.filter((flag) => !/^--(?:format|chart|theme|out|json)\b|\$\{\{/.test(flag))
  const { stdout } = await run([...cli, 'plan', '--json', ...planned], { cwd: packageRoot })
  return JSON.parse(stdout) as { config: { platform: string; arms: Record<string, string[]> } }
}

test.each(given)('$name: its flags make a plan', async ({ flags }) => {
  expect(Object.keys((await planOf(flags)).config.arms)).not.toEqual([])
})

test('every night the three meshes are measured beside the reference, on kind', async () => {
  const nightly = given.find(({ name }) => name === 'nightly-kind.yml')
  const { config } = await planOf(nightly?.flags ?? [])
  expect(config.platform).toBe('kind')
  expect(config.arms).toEqual({
    reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4'],
    'istio-sidecar': ['l7-sidecar-to-sidecar'],
    'istio-ambient': ['l4-only', 'l4-l7-l4'],
    cilium: ['l4-kernel'],
  })
})
