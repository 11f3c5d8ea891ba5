/** Bringing arms up: beside each other where a platform allows it, and always to the same environment. */
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { catalogue } from '../cli/catalogue.js'
import { createEnvironment } from './environment.js'
import { CommandError } from '../model/errors.js'
import type { Mesh } from '../model.js'
import { makePlan } from '../plan/plan.js'
import { resolveConfig } from '../config/resolve-config.js'
import { openScope } from '../process/scope.js'
import { createFake, type FakeScript } from '../testing/fake-platform.js'
import { silentProgress } from '../testing/scope.js'
import { defined } from '../model/defined.js'

const plan = makePlan(
  resolveConfig({ arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'] } }),
  catalogue,
)

function createFrom(script: FakeScript, armsAtOnce?: number, signal = new AbortController().signal) {
  const { platform, meshes } = createFake(script)
  return createEnvironment({
    request: { id: 'local', config: plan.config, arms: plan.arms, paths: plan.paths },
    platform: { ...platform, ...defined({ armsAtOnce }) },
    meshes,
    scope: openScope({ runId: 'r', stateDir: '/nonexistent', signal }),
    progress: silentProgress,
  })
}

/** Counts arms that are on their way up; the first takes longest. */
function watched() {
  let now = 0
  const seen = { most: 0 }
  const whileRaising = async ({ id }: { id: string }) => {
    seen.most = Math.max(seen.most, ++now)
    for (let turn = 0; turn < (id === plan.arms[0]?.id ? 20 : 2); turn++) await setImmediate()
    now--
  }
  return { seen, whileRaising }
}

test.each([
  [undefined, 1],
  [3, 3],
])('with armsAtOnce %s, %d arms come up at a time', async (armsAtOnce, most) => {
  const { seen, whileRaising } = watched()
  const environment = await createFrom({ whileRaising }, armsAtOnce)
  expect(seen.most).toBe(most)
  // The plan's order, whoever came up first.
  expect(Object.keys(environment.raised)).toEqual(plan.arms.map(({ id }) => id))
  const hops = environment.components.flatMap(({ arm }) => arm ?? [])
  expect([...new Set(hops)]).toEqual(plan.arms.filter(({ role }) => role === 'subject').map(({ id }) => id))
})

test('an arm that does not come up leaves the others alone', async () => {
  const { whileRaising } = watched()
  const failsToRaise = ({ id }: { id: string }) => id === 'reference/l4-only'
  const environment = await createFrom({ whileRaising, failsToRaise }, 3)
  expect(Object.keys(environment.failures)).toEqual(['reference/l4-only'])
  expect(Object.keys(environment.raised)).toHaveLength(plan.arms.length - 1)
})

test('a command that failed says what was asked of it, and what it said', async () => {
  const end = { code: 1, signal: null, tail: 'loading images …\nERROR: no space left on device\n' }
  const whileRaising = async ({ id }: { id: string }) => {
    if (id === 'reference/l4-only') throw new CommandError(['kind', 'load', 'image-archive', 'a.tar'], end)
  }
  const { failures } = await createFrom({ whileRaising })
  expect(failures['reference/l4-only']?.message).toBe(
    'kind exited with code 1: loading images … ERROR: no space left on device (asked: kind load image-archive a.tar)',
  )
})

test('an arm that failed is taken down before anything is measured, and only what is up is counted', async () => {
  const { platform, meshes } = createFake({ failsToRaise: ({ id }) => id === 'reference/l4-only' })
  const [takenDown, said]: [string[], string[]] = [[], []]
  const create: typeof platform.create = async (...given) => ({
    ...(await platform.create(...given)),
    takeDown: async ({ id }) => void takenDown.push(id),
  })
  await createEnvironment({
    request: { id: 'local', config: plan.config, arms: plan.arms, paths: plan.paths },
    platform: { ...platform, create },
    meshes,
    scope: openScope({ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal }),
    progress: {
      note: () => {},
      step: async (title, run, done = () => title) => {
        const value = await run()
        said.push(done(value))
        return value
      },
    },
  })
  expect(takenDown).toEqual(['reference/l4-only'])
  expect(said).toContain(`${plan.arms.length - 1} of ${plan.arms.length} arms ready`)
})

test('an interrupt ends the bringing up once nothing is on its way any more', async () => {
  const controller = new AbortController()
  const onTheWay = new Set<string>()
  const whileRaising = async ({ id }: { id: string }) => {
    onTheWay.add(id)
    if (onTheWay.size === 2) controller.abort(new Error('interrupted'))
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    onTheWay.delete(id)
  }
  await expect(createFrom({ whileRaising }, 2, controller.signal)).rejects.toThrow('interrupted')
  expect([...onTheWay]).toEqual([])
})

test('evidence is kept before a mesh takes its own away', async () => {
  const { platform, meshes, undone } = createFake()
  const create: typeof platform.create = async (...given) => ({
    ...(await platform.create(...given)),
    keepEvidence: async () => void undone.push('evidence'),
  })
  const scope = openScope({ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal })
  await createEnvironment({
    request: { id: 'local', config: plan.config, arms: plan.arms, paths: plan.paths },
    platform: { ...platform, create },
    meshes,
    scope,
    progress: silentProgress,
  })
  expect(await scope.close()).toEqual([])
  expect(undone).toEqual(['evidence', 'reference', 'none', 'local'])
})

test('an interrupt while an arm is proved leaves the others unproved', async () => {
  const { platform, meshes } = createFake({})
  const controller = new AbortController()
  const proved: string[] = []
  const proving = Object.fromEntries(
    Object.entries(meshes).map(([name, mesh]): [string, Mesh] => [
      name,
      {
        ...mesh,
        install: async (context) => {
          const session = await mesh.install(context)
          const raise: typeof session.raise = async (arm, path) => ({
            ...(await session.raise(arm, path)),
            async prove() {
              proved.push(arm.id)
              controller.abort(new Error('interrupted'))
              throw new Error('kubectl was ended by SIGKILL (interrupted)')
            },
          })
          return { ...session, raise }
        },
      },
    ]),
  )
  const creating = createEnvironment({
    request: { id: 'local', config: plan.config, arms: plan.arms, paths: plan.paths },
    platform,
    meshes: proving,
    scope: openScope({ runId: 'r', stateDir: '/nonexistent', signal: controller.signal }),
    progress: silentProgress,
  })
  await expect(creating).rejects.toThrow('interrupted')
  expect(proved).toHaveLength(1)
})

test('a hop whose usage cannot be read is named, and what carries an arm as it calls itself', async () => {
  const { platform, meshes } = createFake({})
  const create: typeof platform.create = async (...given) => {
    const host = await platform.create(...given)
    return {
      ...host,
      readUsage: async (components) => {
        const readings = await host.readUsage(components)
        return Object.fromEntries(Object.entries(readings).filter(([name]) => !name.endsWith('/waypoint')))
      },
    }
  }
  const named = Object.fromEntries(
    Object.entries(meshes).map(([name, mesh]): [string, Mesh] => [
      name,
      {
        ...mesh,
        install: async (context) => {
          const session = await mesh.install(context)
          const build = { name: 'stock Envoy 1.40', means: "without Istio's own filters" }
          return { ...session, raise: async (arm, path) => ({ ...(await session.raise(arm, path)), build }) }
        },
      },
    ]),
  )
  const environment = await createEnvironment({
    request: { id: 'local', config: plan.config, arms: plan.arms, paths: plan.paths },
    platform: { ...platform, create },
    meshes: named,
    scope: openScope({ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal }),
    progress: silentProgress,
  })
  expect(environment.unbilled).toEqual(['reference/l4-l7-l4/waypoint'])
  expect(environment.builds['reference/l4-only']).toBe('stock Envoy 1.40')
  expect(environment.facts).toContainEqual({
    name: 'stock Envoy 1.40',
    value: "without Istio's own filters",
  })
})
