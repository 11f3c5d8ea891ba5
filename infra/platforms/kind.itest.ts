/**
 * The kind platform on a real cluster: a whole run through the command line, then, on the cluster that it keeps, paths,
 * placement, usage and chaos; and that nothing stays behind.
 */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../harness/exec.js'
import type { Trial } from '../../harness/model.js'
import { createWorkspace, smallConfig } from '../../harness/testing/cli.js'
import { coreObjects, serverDryRun, shapes } from '../meshes/testdata/core-objects.js'
import { ztunnelSecrets } from '../meshes/cilium/ztunnel-secrets.js'
import { meshes } from '../meshes/index.js'
import { paths } from '../../scenarios/paths/index.js'
import { cleanKind, findClusters } from './kind/clean.js'
import { kindForTests } from './kind/testing.js'
import { kind } from './kind.js'
import { bringUp, type BroughtUp } from './testing.js'

/** A sidecar's, a DaemonSet's and a Deployment's way of being placed. */
const measured = [paths.baseline, paths['l7-sidecar-to-sidecar'], paths['l4-l7-l4']]

const { platformSettings, reason } = await kindForTests(measured)
if (reason !== '') console.log(`skipped: ${reason}`)

describe.skipIf(reason !== '')('kind', () => {
  let up: BroughtUp
  let cluster: string
  const kubectl = async (...args: string[]) => {
    const kubeconfig = `${up.stateDir}/${cluster}.kubeconfig`
    return (await run(['kubectl', '--kubeconfig', kubeconfig, ...args], { timeoutMs: 120_000 })).stdout
  }
  const waypoint = 'mb-reference-l4-l7-l4'

  const workspace = createWorkspace({ timeoutMs: 600_000 })
  const arms = Object.keys(paths).filter((name) => meshes.reference.paths.includes(name))
  // What takes time is bringing arms up; a second round would show nothing that the first does not.
  const small = { ...smallConfig, rounds: { min: 1, max: 1 } }
  let keptBy = ''
  let namespacesBefore = ''
  const namespaces = () => kubectl('get', 'namespaces', '-o', 'name')

  beforeAll(async () => {
    workspace.writeConfig({ ...small, arms: { reference: arms }, platformSettings })
    const ended = await workspace.meshbench('run', '--platform', 'kind', '--keep', '--out', 'run')
    keptBy = workspace.journal('run').header.runId
    expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(0)
    cluster = (await findClusters(keptBy))?.names[0] ?? ''
    up = await bringUp(kind, {
      paths: measured,
      platformSettings: { kind: { ...platformSettings.kind, reuse: true } },
    })
  }, 900_000)
  afterAll(async () => {
    workspace.remove()
    expect(await up.close()).toEqual([])
    expect((await cleanKind(keptBy)).clusters).toEqual([cluster])
    expect((await findClusters())?.names.filter((name) => name.includes(keptBy))).toEqual([])
  }, 180_000)

  it('measures all paths through the command line, with proofs, a bill for each container, and a report', () => {
    const { entries } = workspace.journal('run')
    expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
    expect(entries.find((entry) => entry.type === 'environment')).toMatchObject({ failures: {} })
    const trials = entries.filter((entry): entry is Trial => entry.type === 'trial')
    const measuredArms = new Set(
      trials.filter(({ state }) => state === 'ok').map(({ cell }) => cell.split('|')[1]),
    )
    expect([...measuredArms].sort()).toEqual(
      ['baseline', 'baseline-twin', ...arms].map((name) => `reference/${name}`).sort(),
    )
    for (const { proof, usage } of trials.filter(({ state }) => state === 'ok')) {
      expect(proof.filter(({ ok }) => !ok)).toEqual([])
      const rows = usage?.components ?? []
      expect(rows.filter(({ category }) => category === 'platform')).toHaveLength(4)
      const sources = new Set(
        rows.filter(({ category }) => category !== 'generator').map(({ source }) => source),
      )
      expect([...sources].join()).toMatch(/^cgroup-v[12]$/)
    }
    expect(existsSync(workspace.path('run/report.html'))).toBe(true)
  })

  it('left the cluster of that run as it was found: another run uses it, and its namespaces are gone', async () => {
    const { facts } = up.environment
    expect(facts.find(({ name }) => name === 'cluster')?.value).toContain(keptBy)
    expect(await kubectl('get', 'namespaces', '-l', `meshbench.run=${keptBy}`, '-o', 'name')).toBe('')
  })

  it('brings every arm up, and its mutual TLS ports refuse plaintext', () => {
    expect(up.environment.failures).toEqual({})
    expect(
      Object.values(up.environment.proofs)
        .flat()
        .filter(({ ok }) => !ok),
    ).toEqual([])
  })

  it('puts clients, servers and waypoints on their nodes', async () => {
    const rows = (
      await kubectl(
        'get',
        'pods',
        '-A',
        '-o',
        'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.labels.meshbench\\.component} {.spec.nodeName}{"\\n"}{end}',
      )
    )
      .split('\n')
      .filter((row) => row.startsWith('mb-'))
    const nodeOf = (namespace: string, component: string) =>
      rows.find((row) => row.startsWith(`${namespace} ${component} `))?.split(' ')[2]
    expect(nodeOf('mb-none-baseline', 'client')).toBe(`${cluster}-worker`)
    expect(nodeOf('mb-none-baseline', 'server')).toBe(`${cluster}-worker2`)
    expect(nodeOf(waypoint, 'client-tunnel')).toBe(`${cluster}-worker`)
    expect(nodeOf(waypoint, 'waypoint')).toBe(`${cluster}-worker3`)
    expect(nodeOf(waypoint, 'server-tunnel')).toBe(`${cluster}-worker2`)
  })

  it('puts sidecars into the pods of their applications', async () => {
    const names = (pod: string) =>
      kubectl(
        'get',
        'pods',
        '-n',
        'mb-reference-l7-sidecar-to-sidecar',
        '-l',
        `app=${pod}`,
        '-o',
        'jsonpath={.items[*].spec.containers[*].name}',
      )
    expect(await names('server')).toBe('echo server-sidecar')
    expect(await names('client')).toBe('client client-sidecar')
  })

  it.each(['none/baseline', 'reference/l7-sidecar-to-sidecar', 'reference/l4-l7-l4'])(
    '%s carries every request over its hops, and each is billed from its cgroup',
    async (arm) => {
      const { result, edges, proof } = await up.trial(arm)
      expect(result.ok).toBe(result.sent)
      expect(proof.filter(({ ok }) => !ok)).toEqual([])
      const [start, end] = edges
      const own = up.environment.components.filter((component) => component.arm === arm)
      expect(own.length).toBeGreaterThan(0)
      for (const { name } of own) {
        const [from, to] = [start?.usage[name], end?.usage[name]]
        expect(to?.source, name).toMatch(/^cgroup-v[12]$/)
        expect((to?.cpuNs ?? 0) - (from?.cpuNs ?? 0), name).toBeGreaterThan(0)
        expect(to?.rssBytes, name).toBeGreaterThan(1 << 20)
      }
    },
    120_000,
  )

  it.each(Object.entries(shapes))(
    'accepts the core objects of a mesh’s arm: %s (dry run)',
    async (name, shape) => {
      const said = await serverDryRun(`${up.stateDir}/${cluster}.kubeconfig`, coreObjects(name, shape))
      expect(said.match(/\(server dry run\)/g)).toHaveLength(3)
    },
  )

  it('refuses an object that is wrong, so that its acceptance of the others means something', async () => {
    const kubeconfig = `${up.stateDir}/${cluster}.kubeconfig`
    expect(await serverDryRun(kubeconfig, [await ztunnelSecrets()])).toContain('created (server dry run)')
    const wrong = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'No Such Name', namespace: 'default' },
    }
    await expect(serverDryRun(kubeconfig, [wrong])).rejects.toMatchObject({
      tail: expect.stringContaining('is invalid') as unknown,
    })
  })

  it('is an existing cluster to the kubernetes platform, with several generators', async () => {
    const list = await kubectl('get', 'pods', '-A', '-o', 'jsonpath={.items[*].spec.containers[*].image}')
    const imageOf = (program: string) =>
      list.split(' ').find((reference) => reference.includes(`meshbench/${program}:`)) ?? `no ${program}`
    const images = Object.fromEntries(
      (['echo', 'tunnel', 'proxy', 'loadgen'] as const).map((program) => [program, imageOf(program)]),
    )
    namespacesBefore = await namespaces()
    workspace.writeConfig({
      ...small,
      arms: { reference: ['l7-sidecar-to-sidecar'] },
      platformSettings: {
        kubernetes: {
          images,
          generatorPods: 2,
          nodeSelectors: {
            client: { 'meshbench.role': 'client' },
            server: { 'meshbench.role': 'server' },
            waypoint: { 'meshbench.role': 'waypoint' },
          },
        },
      },
    })
    const env = { KUBECONFIG: `${up.stateDir}/${cluster}.kubeconfig` }
    const ended = await workspace.meshbenchWith(env, 'run', '--platform', 'kubernetes', '--out', 'existing')
    expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(0)
    const { entries } = workspace.journal('existing')
    expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
    const trials = entries.filter((entry): entry is Trial => entry.type === 'trial')
    expect(trials.flatMap(({ proof }) => proof).filter(({ ok }) => !ok)).toEqual([])
    // Two pods, each with a sidecar of its own, gave one result; the proofs have counted both sidecars.
    expect(new Set(trials.map(({ load }) => load?.generators))).toEqual(new Set([2]))
    expect(trials.every(({ load }) => load?.response?.count === load?.ok)).toBe(true)
  }, 420_000)

  it('says that a waypoint was killed in mid-trial, and goes on when it is back', async () => {
    const arm = 'reference/l4-l7-l4'
    const running = up.startLoad(arm, { durationMs: 60_000 })
    const drained = (async () => {
      for await (const line of running.lines) if (line.includes('"edge"')) running.write('go\n')
    })()
    await expect.poll(() => up.environment.health(arm)).toBeUndefined()
    await kubectl(
      'delete',
      'pod',
      '-n',
      waypoint,
      '-l',
      'meshbench.component=waypoint',
      '--grace-period=0',
      '--force',
      '--wait=false',
    )
    await expect.poll(() => up.environment.health(arm)?.kind, { timeout: 20_000 }).toBe('hop-died')
    running.kill('SIGKILL')
    await Promise.all([running.exited, drained])
    await kubectl('rollout', 'status', '-n', waypoint, 'deployment/waypoint', '--timeout=90s')
    const { result, proof } = await up.trial(arm)
    expect(result.ok).toBe(result.sent)
    expect(proof.filter(({ ok, name }) => !ok && name.startsWith('requests at'))).toEqual([])
  }, 240_000)

  it('says that the generator’s pod was killed, and finds its successor', async () => {
    const arm = 'none/baseline'
    const running = up.startLoad(arm, { durationMs: 60_000 })
    for await (const line of running.lines) if (line.includes('connected')) break
    await kubectl(
      'delete',
      'pod',
      '-n',
      'mb-none-baseline',
      '-l',
      'app=client',
      '--grace-period=0',
      '--force',
      '--wait=false',
    )
    const { code } = await running.exited
    expect(code).not.toBe(0)
    const { result } = await up.trial(arm)
    expect(result.ok).toBe(result.sent)
  }, 240_000)

  it('leaves nothing running in the pod when a trial is cut off', async () => {
    const running = up.startLoad('none/baseline', { durationMs: 60_000 })
    for await (const line of running.lines) if (line.includes('connected')) break
    running.kill('SIGKILL')
    await running.exited
    const count = () =>
      kubectl(
        'exec',
        '-n',
        'mb-none-baseline',
        'deployment/client',
        '--',
        'node',
        '-p',
        "require('fs').readdirSync('/proc').filter((n) => /^\\d+$/.test(n)).length",
      )
    // The idle process, and the one that counts.
    await expect.poll(async () => Number(await count()), { timeout: 20_000, interval: 500 }).toBe(2)
  }, 120_000)

  it('has nothing left of the run on the existing cluster: namespaces go in the cluster’s own time', async () => {
    expect(namespacesBefore).not.toBe('')
    await expect.poll(namespaces, { timeout: 120_000, interval: 1_000 }).toBe(namespacesBefore)
  }, 130_000)

  it('says that a node died', async () => {
    await run(['docker', 'kill', `${cluster}-worker3`])
    await expect
      .poll(() => up.environment.health('reference/l4-l7-l4')?.kind, { timeout: 20_000 })
      .toBe('node-died')
    expect(up.environment.health('none/baseline')).toBeUndefined()
  }, 60_000)
})
