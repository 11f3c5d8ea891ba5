/** A small run through the command line with every arm that this machine can raise, of every mesh of processes. */
import { afterAll, expect, it } from 'vitest'
import { createWorkspace, smallConfig } from '../../../harness/testing/cli.js'
import { platforms } from '../../platforms/index.js'
import { meshes } from '../index.js'
import { trialsOf } from '../../../harness/testing/trials.js'
import { testRequest } from '../../../harness/testing/request.js'

const workspace = createWorkspace()
afterAll(() => workspace.remove())

const local = Object.values(meshes).filter(({ name, livesOn }) => name !== 'none' && livesOn === 'own-hops')
const checked = await Promise.all(
  local.map(async (mesh) => ({ mesh, unmet: await mesh.check(testRequest({}), platforms.local) })),
)
for (const { mesh, unmet } of checked) {
  for (const { need, found, remedy } of unmet)
    console.warn(`left out ${mesh.name}: ${need}: ${found}; ${remedy}`)
}
const present = checked.filter(({ unmet }) => unmet.length === 0).map(({ mesh }) => mesh)

it(`runs ${present.map(({ name }) => name).join(', ')} side by side`, async () => {
  const arms = Object.fromEntries(present.map(({ name, paths }) => [name, paths]))
  workspace.writeConfig({ ...smallConfig, arms })
  const { code, stderr } = await workspace.meshbench('run', '--out', 'out')
  expect([stderr, code]).toEqual(['', 0])
  const { entries, header } = workspace.journal('out')
  const expected = present.flatMap(({ name, paths }) => paths.map((path) => `${name}/${path}`))
  expect(header.plan.arms.map(({ id }) => id)).toEqual(expect.arrayContaining(expected))
  const environment = entries.find((entry) => entry.type === 'environment')
  expect(environment?.failures).toEqual({})
  const trials = trialsOf(entries)
  // A busy machine may make a trial invalid, which is run again; none may fail.
  const failed = trials.filter(({ state }) => state === 'failed')
  expect(failed.map(({ cell, error, proof }) => [cell, error, proof.filter(({ ok }) => !ok)])).toEqual([])
  const measured = new Set(trials.filter(({ state }) => state === 'ok').map(({ cell }) => cell))
  expect([...measured].sort()).toEqual(header.plan.cells.map(({ id }) => id).sort())
}, 300_000)
