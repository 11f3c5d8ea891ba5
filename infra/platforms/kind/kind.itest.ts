/**
 * The kind platform on a real cluster: a whole run through the command line, then, on the cluster that it keeps, paths,
 * placement, usage and chaos; and that nothing stays behind. A run on all paths: `kind-interrupt.itest.ts`.
 */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../../harness/process/exec.js'
import type { Host, Platform } from '../../../harness/model.js'
import { createWorkspace, smallConfig } from '../../../harness/testing/cli.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { provePlaintextRefused } from '../../meshes/hops/queries.js'
import { coreObjects, serverDryRun, shapes } from '../../meshes/testdata/core-objects.js'
import { ztunnelSecrets } from '../../meshes/cilium/ztunnel-secrets.js'
import { paths } from '../../../scenarios/paths/index.js'
import { clusterLeftovers } from './clean.js'
import { asExisting, clustersOf, exportKubeconfig, kindForTests } from './testing.js'
import { kind } from './kind.js'
import { bringUp, slicesWhile, type BroughtUp } from '../kit/testing.js'
import { trialsOf } from '../../../harness/testing/trials.js'

/** A sidecar's, a DaemonSet's and a Deployment's way of being placed. */
const measured = [paths.baseline, paths['l7-sidecar-to-sidecar'], paths['l4-l7-l4']]

const { platformSettings, reason } = await kindForTests(measured)
if (reason !== '') console.log(`skipped: ${reason}`)

describe.skipIf(reason !== '')('kind', () => {
  let up: BroughtUp
  let host: Host
  let cluster: string
  const kubeconfig = () => workspace.path('kubeconfig')
  const kubectl = async (...args: string[]) => {
    return (await run(['kubectl', '--kubeconfig', kubeconfig(), ...args], { timeoutMs: 120_000 })).stdout
  }
  const waypoint = 'mb-reference-l4-l7-l4'

  const workspace = createWorkspace({ timeoutMs: 600_000 })
  const arms = ['l7-sidecar-to-sidecar', 'l4-l7-l4']
  // What takes time is bringing arms up; a second round would show nothing that the first does not.
  const small = { ...smallConfig, rounds: { min: 1, max: 1 } }
  let keptBy = ''
  let onExisting: ReturnType<typeof runOnExisting> | undefined
  let namespacesBefore = ''
  const namespaces = (selector: string) => kubectl('get', 'namespaces', '-l', selector, '-o', 'name')

  /** A run of the kubernetes platform on this cluster, with several generators and in namespaces of its own. */
  async function runOnExisting() {
    workspace.writeConfig({
      ...small,
      arms: { reference: ['l7-sidecar-to-sidecar'] },
      platformSettings: { kubernetes: { ...(await asExisting(cluster)), generatorPods: 2 } },
    })
    const env = { KUBECONFIG: kubeconfig() }
    return workspace.meshbenchWith(env, 'run', '--platform', 'kubernetes', '--out', 'existing')
  }

  beforeAll(async () => {
    workspace.writeConfig({ ...small, arms: { reference: arms }, platformSettings })
    const ended = await workspace.meshbench('run', '--platform', 'kind', '--keep', '--out', 'run')
    keptBy = workspace.journal('run').header.runId
    expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(0)
    cluster = await exportKubeconfig(keptBy, kubeconfig())
    namespacesBefore = await namespaces('!meshbench.run')
    const platform: Platform = {
      ...kind,
      create: async (...request) => (host = await kind.create(...request)),
    }
    up = await bringUp(platform, {
      paths: measured,
      platformSettings: { kind: { ...platformSettings.kind, reuse: true } },
      onStep(title) {
        // Once the cluster has been emptied. Both wait for pods most of the time, and neither knows of the other.
        if (title === 'images in the cluster') onExisting = runOnExisting()
      },
    })
  }, 900_000)
  afterAll(async () => {
    await onExisting
    workspace.remove()
    expect(await up.close()).toEqual([])
    const left = await clusterLeftovers(keptBy)
    expect(left.map(({ title }) => title)).toEqual([`the cluster ${cluster}`])
    for (const leftover of left) await leftover.remove()
    expect((await clustersOf()).filter((name) => name.includes(keptBy))).toEqual([])
  }, 180_000)

  it('measures through the command line, with proofs, a bill for each container, and a report', () => {
    const { entries } = workspace.journal('run')
    expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
    expect(entries.find((entry) => entry.type === 'environment')).toMatchObject({ failures: {} })
    const trials = trialsOf(entries)
    const measuredArms = new Set(
      trials.filter(({ state }) => state === 'ok').map(({ cell }) => cell.split('|')[1]),
    )
    expect([...measuredArms].sort()).toEqual(
      ['baseline', 'baseline-twin', ...arms].map((name) => `reference/${name}`).sort(),
    )
    for (const { proof, usage } of trials.filter(({ state }) => state === 'ok')) {
      expect(proof.filter(({ ok }) => !ok)).toEqual([])
      const rows = usage?.components ?? []
      const programs = rows.filter(({ category }) => category === 'platform')
      expect(programs.map(({ component }) => component)).toEqual(
        expect.arrayContaining(
          ['kubelet', 'containerd', 'kube-apiserver', 'etcd', 'kube-scheduler', 'CoreDNS'].map(
            (name) => `kubernetes/${name}`,
          ),
        ),
      )
      const sources = new Set(
        rows.filter(({ category }) => category !== 'generator').map(({ source }) => source),
      )
      expect([...sources].sort().join()).toMatch(/^cgroup-v[12],ticks$/)
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

  it('lets the pod outside of every mesh reach what must answer it: what it is refused elsewhere means something', async () => {
    const ip = await kubectl('get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}')
    const cluster = { kubectl: async () => ip } as unknown as ClusterAccess
    const endpointOf = async (arm: string) => ({
      host: await kubectl('get', 'service', 'server', '-n', `mb-${arm}`, '-o', 'jsonpath={.spec.clusterIP}'),
      port: 8080,
      authority: 'server',
    })
    const open = await provePlaintextRefused(cluster, host, await endpointOf('none-baseline'))
    expect(open).toMatchObject({ ok: false, actual: 'HTTP/1.1 200 OK' })
    const none = { ...(await endpointOf('none-baseline')), port: 9 }
    expect(await provePlaintextRefused(cluster, host, none)).toMatchObject({ ok: true, actual: 'no reply' })
    expect(
      await provePlaintextRefused({ kubectl: async () => '127.0.0.1' } as never, host, none),
    ).toMatchObject({
      ok: false,
      actual: expect.stringContaining('not tried') as unknown,
    })
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

  it('accepts the core objects of every shape that a mesh gives to an arm (dry run)', async () => {
    const documents = Object.entries(shapes).flatMap(([name, shape]) => coreObjects(name, shape))
    const said = await serverDryRun(kubeconfig(), documents)
    expect(said.match(/\(server dry run\)/g)).toHaveLength(documents.length)
  })

  it('refuses an object that is wrong, so that its acceptance of the others means something', async () => {
    expect(await serverDryRun(kubeconfig(), [await ztunnelSecrets()])).toContain('created (server dry run)')
    const wrong = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'No Such Name', namespace: 'default' },
    }
    await expect(serverDryRun(kubeconfig(), [wrong])).rejects.toMatchObject({
      tail: expect.stringContaining('is invalid') as unknown,
    })
  })

  it('ends a hop on its node, brings it back, and charges what both of its containers have used', async () => {
    const arm = 'reference/l4-l7-l4'
    const hop = `${arm}/server-tunnel`
    const change = (what: 'kill' | 'stop' | 'start' | 'pause' | 'resume') =>
      up.environment.change(hop, { do: what })
    const cpuOf = async () =>
      (await up.environment.read({ counters: false, usage: true })).usage[hop]?.cpuNs ?? 0
    up.environment.beginTrial()
    for (const how of ['kill', 'stop', 'kill'] as const) {
      const before = await cpuOf()
      await change('pause')
      expect(up.environment.health(arm)).toBeUndefined()
      if (how === 'stop') await change('resume')
      await change(how)
      await expect.poll(() => up.environment.health(arm)?.kind, { timeout: 20_000 }).toBe('hop-died')
      await change('start')
      expect(up.environment.health(arm)).toBeUndefined()
      expect(await cpuOf()).toBeGreaterThan(before)
    }
    const { result } = await up.trial(arm)
    expect(result.ok).toBe(result.sent)
  }, 120_000)

  it('ends the sidecar of a client whose load goes on', async () => {
    const arm = 'reference/l7-sidecar-to-sidecar'
    const { ok, failed } = await slicesWhile(up, arm, 12_000, async () => {
      for (const what of ['kill', 'start'] as const)
        await up.environment.change(`${arm}/client-sidecar`, { do: what })
    })
    expect(failed.some((failures) => failures > 0)).toBe(true)
    expect([failed.at(-1), (ok.at(-1) ?? 0) > 0]).toEqual([0, true])
  }, 120_000)

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
    const pods = ['pods', '-n', waypoint, '-l', 'meshbench.component=waypoint']
    const backAgain = async () => {
      // Old kubelets would look at it a minute later.
      await kubectl('annotate', '--overwrite', ...pods, `look=${Date.now()}`)
      return kubectl('get', ...pods, '-o', 'jsonpath={.items[*].status.containerStatuses[*].ready}')
    }
    await expect.poll(backAgain, { timeout: 90_000, interval: 1_000 }).toBe('true')
    // What was pooled towards the dead waypoint may fail once for each connection: the first trial finds it.
    await up.trial(arm)
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

  it('is an existing cluster to the kubernetes platform, with several generators', async () => {
    const ended = await onExisting
    expect(ended?.code, `${ended?.stdout}\n${ended?.stderr}`).toBe(0)
    const { entries } = workspace.journal('existing')
    expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
    const trials = trialsOf(entries)
    expect(trials.flatMap(({ proof }) => proof).filter(({ ok }) => !ok)).toEqual([])
    // Two pods, each with a sidecar of its own, gave one result; the proofs have counted both sidecars.
    expect(new Set(trials.map(({ load }) => load?.generators))).toEqual(new Set([2]))
    expect(trials.every(({ load }) => load?.response?.count === load?.ok)).toBe(true)
  }, 420_000)

  it('has nothing left of the run on the existing cluster: namespaces go in the cluster’s own time', async () => {
    const { runId } = workspace.journal('existing').header
    const left = () => namespaces(`meshbench.run=${runId}`)
    await expect.poll(left, { timeout: 60_000, interval: 500 }).toBe('')
    expect(namespacesBefore).toContain('namespace/default')
    expect(await namespaces('!meshbench.run')).toBe(namespacesBefore)
  }, 90_000)

  it('says that a node died', async () => {
    await run(['docker', 'kill', `${cluster}-worker3`])
    await expect
      .poll(() => up.environment.health('reference/l4-l7-l4')?.kind, { timeout: 20_000 })
      .toBe('node-died')
    expect(up.environment.health('none/baseline')).toBeUndefined()
  }, 60_000)
})
