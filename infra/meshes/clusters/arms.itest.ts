/**
 * Every arm of Istio and Cilium on a real cluster of kind: it comes up, its path is proved, its hops and the cluster's own
 * programs are on the bill, and nothing is left. Which arms there are, and what images and settings they need where nothing
 * can be pulled, is a file of settings that MESHBENCH_TEST_MESHES names: `{ "arms": …, "meshSettings": …, "platformSettings": … }`.
 */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { createWorkspace, noPage, smallConfig } from '../../../harness/testing/cli.js'
import { lastAttempts } from '../../../harness/testing/trials.js'
import { clustersOf } from '../../platforms/kind/testing.js'

interface Settings {
  readonly arms: Readonly<Record<string, readonly string[]>>
  readonly meshSettings?: object
  readonly platformSettings?: object
}

const file = process.env.MESHBENCH_TEST_MESHES
const reason =
  process.env.MESHBENCH_TEST_EXTENDED !== '1'
    ? 'MESHBENCH_TEST_EXTENDED is not 1 (many minutes)'
    : file === undefined
      ? 'MESHBENCH_TEST_MESHES names no file of settings'
      : ''
if (reason !== '') console.log(`skipped: ${reason}`)
const settings: Settings =
  file === undefined || reason !== '' ? { arms: {} } : (JSON.parse(readFileSync(file, 'utf8')) as Settings)
const arms = Object.entries(settings.arms).flatMap(([mesh, paths]) => paths.map((path) => ({ mesh, path })))

describe.skipIf(reason !== '')('on a cluster of its own', () => {
  const timeoutMs = 1_200_000
  const workspace = createWorkspace({ timeoutMs })
  afterAll(() => workspace.remove())

  test.each(arms)('$mesh/$path', { timeout: timeoutMs }, async ({ mesh, path }) => {
    const { meshSettings, platformSettings } = settings
    workspace.writeConfig({ ...smallConfig, arms: { [mesh]: [path] }, meshSettings, platformSettings })
    const out = `${mesh}-${path}`
    const flags = ['--platform', 'kind', '--rounds', '1', '--force', ...noPage]
    const { code, stdout, stderr } = await workspace.meshbench('run', ...flags, '--out', out)
    expect(code, `${stdout}\n${stderr}`).toBe(0)
    const { header, entries } = workspace.journal(out)
    const environment = entries.find((entry) => entry.type === 'environment')
    expect(environment?.failures).toEqual({})
    expect((environment?.proofs[`${mesh}/${path}`] ?? []).map(({ ok }) => ok)).not.toEqual([])
    const trials = lastAttempts(entries).filter(({ cell }) => cell.includes(`|${mesh}/${path}|`))
    expect(trials.map(({ state }) => state)).toEqual(['ok'])
    const billed = new Set(trials[0]?.usage?.components.map(({ component }) => component))
    const hops = (environment?.components ?? []).filter(({ hop }) => hop !== undefined)
    for (const { name } of hops) expect([...billed]).toContain(name)
    for (const program of ['kubelet', 'containerd', 'kube-apiserver', 'etcd', 'CoreDNS'])
      expect([...billed]).toContain(`kubernetes/${program}`)
    const controlPlane = (environment?.components ?? []).filter(
      ({ category }) => category === 'control-plane',
    )
    expect(controlPlane).not.toEqual([])
    for (const { name } of controlPlane) expect([...billed]).toContain(name)
    expect(await clustersOf(header.runId)).toEqual([])
  })
})
