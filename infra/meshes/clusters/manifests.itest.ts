/**
 * Shows manifests to the programs that will judge them, as far as those are here: an API server for core objects,
 * istioctl for Istio's own. Each is skipped, with the reason, where it is not. Helm's values: `charts.itest.ts`.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findProgram, run } from '../../../harness/process/exec.js'
import { ztunnelSecrets } from '../cilium/ztunnel-secrets.js'
import { coreObjects, serverDryRun, shapes } from '../testdata/core-objects.js'

const goldenDir = fileURLToPath(new URL('../testdata/golden/', import.meta.url))

async function skipReason(name: string, variable: string): Promise<string | undefined> {
  if ((await findProgram(name)) === undefined) return `${name} is not on the PATH`
  return variable !== '' && process.env[variable] === undefined ? `${variable} names nothing` : undefined
}

/** Registers a test, or one that says why it is skipped. */
function testUnless(reason: string | undefined, title: string, body: () => Promise<void>): void {
  if (reason === undefined) test(title, body)
  else test.skip(`${title} (skipped: ${reason})`, body)
}

const noCluster = await skipReason('kubectl', 'MESHBENCH_TEST_KUBECONFIG')
describe('the API server accepts core objects (dry run)', () => {
  const dryRun = (documents: readonly object[]) =>
    serverDryRun(process.env.MESHBENCH_TEST_KUBECONFIG ?? '', documents)
  for (const [name, shape] of Object.entries(shapes)) {
    testUnless(noCluster, name, async () => {
      const said = await dryRun(coreObjects(name, shape))
      expect(said.match(/\(server dry run\)/g)).toHaveLength(3)
    })
  }
  testUnless(noCluster, "keys of Cilium's ztunnel", async () => {
    expect(await dryRun([await ztunnelSecrets()])).toContain(
      'secret/cilium-ztunnel-secrets created (server dry run)',
    )
  })
  testUnless(noCluster, 'what is wrong is refused, so that acceptance means something', async () => {
    await expect(
      dryRun([
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 'No Such Name', namespace: 'default' } },
      ]),
    ).rejects.toMatchObject({ tail: expect.stringContaining('is invalid') as unknown })
  })
})

const noIstioctl = await skipReason('istioctl', '')
describe('istioctl finds nothing wrong with the golden manifests', () => {
  const validate = async (text: string) => {
    const folder = await mkdtemp(join(tmpdir(), 'meshbench-istioctl-'))
    try {
      const file = join(folder, 'manifests.yaml')
      await writeFile(file, text)
      return await run(['istioctl', 'validate', '-f', file])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  /** The first document of these files is a shape, which is not for the API server. */
  const manifestsOf = (text: string) => text.split('---\n').slice(1).join('---\n')
  for (const name of [
    ...['istio-sidecar-l4', 'istio-sidecar-l7', 'istio-ambient-l4', 'istio-ambient-l7'],
    ...['istio-sidecar-functions', 'istio-ambient-functions'],
  ]) {
    testUnless(noIstioctl, name, async () => {
      await validate(manifestsOf(await readFile(join(goldenDir, `${name}.yaml`), 'utf8')))
    })
  }
  testUnless(noIstioctl, 'an unknown field is found', async () => {
    const text = manifestsOf(await readFile(join(goldenDir, 'istio-sidecar-l7.yaml'), 'utf8'))
    await expect(validate(text.replace('h2UpgradePolicy', 'h2UpgradePolicies'))).rejects.toThrow()
  })
})
