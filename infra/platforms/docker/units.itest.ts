/** Units of L7 as containers of a real engine: each with its cores, and one generator that reaches all of them. */
import { expect, test } from 'vitest'
import { createWorkspace } from '../../../harness/testing/cli.js'
import { isKnee, runUnits } from '../../../harness/testing/units.js'
import { paths } from '../../../scenarios/paths/index.js'
import { requestFor } from '../kit/testing.js'
import { docker } from './docker.js'

const measured = [paths.baseline, paths['l7-sidecar-to-sidecar'], paths['l4-l7-l4']]
const lacking = async (): Promise<string> => {
  const unmet = await docker.check(requestFor(docker, { paths: measured }))
  return unmet.map(({ need, found }) => `${need}: ${found}`).join('; ')
}
const reason =
  process.env.MESHBENCH_TEST_EXTENDED === '1'
    ? await lacking()
    : 'MESHBENCH_TEST_EXTENDED is not 1 (more than a minute)'
if (reason !== '') console.log(`skipped: ${reason}`)

test.skipIf(reason !== '')(
  'units carry a load together, and their L7 hops are held to their cores',
  async () => {
    const workspace = createWorkspace({ timeoutMs: 400_000 })
    try {
      const { trials } = await runUnits(workspace, 'docker', true)
      const held = trials
        .filter(({ cell }) => isKnee(cell))
        .flatMap(({ usage }) => usage?.components ?? [])
        .filter(({ throttledPeriods = 0 }) => throttledPeriods > 0)
        .map(({ component }) => component)
      expect(held.filter((component) => !component.includes('+unit-'))).toEqual([])
      for (const hop of ['l7-sidecar-to-sidecar+unit-1/client-sidecar', 'l4-l7-l4+unit-1/waypoint'])
        expect(held).toContain(`reference/${hop}`)
    } finally {
      workspace.remove()
    }
  },
  420_000,
)
