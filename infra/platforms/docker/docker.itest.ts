/** The docker platform against a real engine: five paths, chaos, and that nothing stays behind. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findProgram } from '../../../harness/process/exec.js'
import { createWorkspace, smallConfig } from '../../../harness/testing/cli.js'
import { paths, type PathName } from '../../../scenarios/paths/index.js'
import { buildImages } from '../../supply/container-images/build.js'
import { tarBlocks, tarStream, type TarEntry } from '../../supply/container-images/tar.js'
import { createAuthority, spiffeId } from '../kit/identity.js'
import { imageBundles } from '../../images/bundles.js'
import { meshes } from '../../meshes/index.js'
import { findEngine, isMissing } from './engine.js'
import { runFilter } from './labels.js'
import { docker } from './docker.js'
import { bringUp, requestFor, type BroughtUp } from '../kit/testing.js'
import { trialsOf } from '../../../harness/testing/trials.js'

/** What the reference mesh can form, and the baseline. */
const names = ['baseline', ...meshes.reference.paths] as PathName[]
const measured = names.map((name) => paths[name])

const engine = await findEngine()
const unmet = await docker.check(requestFor(docker, { paths: measured }))
const hasWrk = (await findProgram('wrk')) !== undefined
if (!hasWrk) console.log('skipped: a load tool in a container: wrk is not on the PATH')
const reason = unmet.map(({ need, found }) => `${need}: ${found}`).join('; ')
if (reason !== '') console.log(`skipped: ${reason}`)

describe.skipIf(reason !== '' || isMissing(engine))('docker', () => {
  if (isMissing(engine)) return
  const client = engine.docker
  let up: BroughtUp

  const leftovers = async (runId: string) => {
    const filters = runFilter(runId)
    const containers = await client.listContainers({ all: true, filters })
    const networks = await client.listNetworks({ filters })
    return [...containers.map(({ Id }) => Id), ...networks.map(({ Name }) => Name)]
  }

  beforeAll(async () => {
    up = await bringUp(docker, { paths: measured })
  }, 180_000)
  afterAll(async () => {
    expect(await up.close()).toEqual([])
    expect(await leftovers(up.runId)).toEqual([])
  }, 60_000)

  it('brings every arm up, and its mutual TLS ports refuse plaintext', () => {
    expect(up.environment.failures).toEqual({})
    const checks = Object.values(up.environment.proofs).flat()
    expect(checks.length).toBeGreaterThan(0)
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
  })

  it.each(['none/baseline', ...meshes.reference.paths.map((name) => `reference/${name}`)])(
    '%s carries every request over its hops, and each is billed from its cgroup',
    async (arm) => {
      const { result, edges, proof } = await up.trial(arm)
      expect(result.ok).toBe(result.sent)
      expect(proof.filter(({ ok }) => !ok)).toEqual([])
      const [start, end] = edges
      const own = up.environment.components.filter(
        (component) => component.arm === arm || component.name === 'echo',
      )
      for (const { name } of own) {
        const [from, to] = [start?.usage[name], end?.usage[name]]
        expect(to?.source, name).toMatch(/^cgroup-v[12]$/)
        expect((to?.cpuNs ?? 0) - (from?.cpuNs ?? 0), name).toBeGreaterThan(0)
        expect(to?.rssBytes, name).toBeGreaterThan(1 << 20)
      }
    },
    60_000,
  )

  it('measures a whole run through the command line, and leaves nothing', async () => {
    const workspace = createWorkspace({ timeoutMs: 300_000 })
    try {
      const saturation = { connections: 4, warmupMs: 0, durationMs: 300, rounds: 1 }
      workspace.writeConfig({
        ...smallConfig,
        arms: { reference: ['l4-l7-l4', 'ingress'] },
        // A tool of this machine, in the generator's container.
        ...(hasWrk
          ? { experiments: { ...smallConfig.experiments, saturation }, engines: { saturation: 'wrk' } }
          : {}),
      })
      const ended = await workspace.meshbench('run', '--platform', 'docker', '--out', 'run')
      expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(0)
      const { entries, header } = workspace.journal('run')
      expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
      const trials = trialsOf(entries)
      expect(trials.flatMap(({ proof }) => proof).filter(({ ok }) => !ok)).toEqual([])
      const measured = new Set(trials.filter(({ state }) => state === 'ok').map(({ cell }) => cell))
      expect(measured.size).toBe(hasWrk ? 8 : 4)
      const engines = new Set(trials.map(({ load }) => load?.engine))
      expect(engines).toEqual(new Set(['open-loop', ...(hasWrk ? ['wrk'] : [])]))
      expect(existsSync(workspace.path('run/report.html'))).toBe(true)
      expect(await leftovers(header.runId)).toEqual([])
    } finally {
      workspace.remove()
    }
  }, 360_000)

  it('confines its containers', async () => {
    const [{ Id: id } = { Id: '' }] = await client.listContainers({ filters: runFilter(up.runId) })
    const { HostConfig: host, Config: config, Mounts: mounts } = await client.getContainer(id).inspect()
    expect(host).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false })
    expect(config.User).toBe('65532:65532')
    expect(mounts.filter(({ Type: type }) => type === 'bind')).toEqual([])
  })

  it.each(['proxy', 'tunnel'] as const)(
    "%s's own Dockerfile makes an image that runs confined and reports that it is healthy",
    async (image) => {
      const { base } = await buildImages(
        { docker: client, signal: new AbortController().signal },
        { version: 'test' },
      )
      const folder = fileURLToPath(new URL(`../../images/${image}/`, import.meta.url))
      const reference = `meshbench-test/${image}:${up.runId}`
      const context = tarStream([
        { name: 'Dockerfile', mode: 0o644, content: await readFile(join(folder, 'Dockerfile')) },
        { name: `${image}.mjs`, mode: 0o644, content: await readFile((await imageBundles())[image].path) },
      ])
      const log = await client.buildImage(context, { t: reference, buildargs: { BASE: base }, forcerm: true })
      await new Promise((resolve, reject) =>
        client.modem.followProgress(log, (error, events) => (error ? reject(error) : resolve(events))),
      )
      const container = await client.createContainer({
        Image: reference,
        Labels: { 'meshbench.run': up.runId },
        Volumes: { '/etc/meshbench': {} },
        HostConfig: { ReadonlyRootfs: true, CapDrop: ['ALL'], NetworkMode: 'none' },
      })
      try {
        await container.putArchive(Buffer.concat([...tarBlocks(await hopFiles(image))]), {
          path: '/etc/meshbench',
        })
        await container.start()
        const health = async () => (await container.inspect()).State.Health?.Status
        await expect.poll(health, { timeout: 40_000, interval: 500 }).toBe('healthy')
      } finally {
        await container.remove({ force: true, v: true })
        await client.getImage(reference).remove({ force: true })
      }
    },
    120_000,
  )

  it('says that the generator was killed', async () => {
    const running = up.startLoad('none/baseline', { durationMs: 20_000 })
    for await (const line of running.lines) if (line.includes('connected')) break
    running.kill('SIGKILL')
    const { code, signal } = await running.exited
    expect({ code, signal }).toEqual({ code: 137, signal: 'SIGKILL' })
  }, 30_000)

  it('says that a hop died, and whose, with the end of its output', async () => {
    const arm = 'reference/l7-per-node'
    expect(up.environment.health(arm)).toBeUndefined()
    const label = `meshbench.component=${arm}/node-proxy`
    const [hop] = await client.listContainers({ filters: { label: [label, ...runFilter(up.runId).label] } })
    await client.getContainer(hop?.Id ?? '').kill()
    await expect.poll(() => up.environment.health(arm)?.kind).toBe('hop-died')
    expect(up.environment.health(arm)?.message).toContain('node-proxy exited with code 137')
    expect(up.environment.health(arm)?.detail).toContain('ready')
    expect(up.environment.health('reference/l4-only')).toBeUndefined()
  }, 30_000)

  it('after kill -9, clean finds what is left by its label alone, and resume completes the run', async () => {
    const workspace = createWorkspace()
    workspace.writeConfig({ ...smallConfig, arms: { reference: ['l4-only'] } })
    const running = workspace.startMeshbench('run', '--platform', 'docker', '--out', 'run')
    try {
      const said: string[] = []
      const drained = (async () => {
        for await (const line of running.lines) said.push(line)
      })()
      const trials = () =>
        existsSync(workspace.path('run/journal.jsonl')) ? trialsOf(workspace.journal('run').entries) : []
      await expect.poll(() => trials().length, { timeout: 180_000, interval: 50 }).toBeGreaterThan(0)
      running.kill('SIGKILL')
      await Promise.all([running.exited, drained])
      const { runId, plan } = workspace.journal('run').header
      expect((await leftovers(runId)).length).toBeGreaterThan(4)
      const cleaned = await workspace.meshbench('clean', runId)
      expect([cleaned.code, cleaned.stdout]).toEqual([0, expect.stringContaining(`of run ${runId}`)])
      expect(await leftovers(runId)).toEqual([])
      // The other run is not touched.
      expect((await leftovers(up.runId)).length).toBeGreaterThan(4)

      const resumed = await workspace.meshbench('run', '--resume', 'run')
      expect(resumed.code, `${resumed.stdout}\n${resumed.stderr}`).toBe(0)
      const measured = new Set(trials().map(({ index }) => index))
      expect(measured).toEqual(new Set(plan.order.map(({ index }) => index)))
      expect(workspace.journal('run').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
      expect(await leftovers(runId)).toEqual([])
    } finally {
      // A SIGTERM lets it clean up, where the test did not get as far as killing it.
      running.kill()
      await running.exited
      workspace.remove()
    }
  }, 420_000)
})

/** The least that a hop starts with: its config and, for the tunnel, a workload's credentials. */
async function hopFiles(image: 'proxy' | 'tunnel'): Promise<readonly TarEntry[]> {
  const admin = { host: '127.0.0.1', port: 15020 }
  const file = (name: string, content: string): TarEntry => ({ name, mode: 0o644, content })
  const listener = { name: 'downstream', host: '127.0.0.1', port: 15001 }
  if (image === 'proxy') {
    const config = {
      admin,
      listeners: [{ ...listener, transport: 'plain' }],
      clusters: [{ name: 'server', transport: 'plain', endpoints: [{ host: '127.0.0.1', port: 8080 }] }],
      routes: [{ match: { prefix: '/' }, cluster: 'server' }],
    }
    return [file('config.json', JSON.stringify(config))]
  }
  const trustDomain = 'bench.local'
  const source = spiffeId(trustDomain, 'bench', 'client')
  const identity = await (await createAuthority({ trustDomain })).issue(source)
  const config = {
    admin,
    trustDomain,
    workloads: [{ spiffeId: source, certFile: 'tls.crt', keyFile: 'tls.key', caFile: 'ca.crt' }],
    listeners: [
      {
        ...listener,
        kind: 'capture',
        source,
        destination: {
          authority: 'server.bench:8080',
          via: { host: '127.0.0.1', port: 15008 },
          expect: [source],
        },
      },
    ],
  }
  return [
    file('config.json', JSON.stringify(config)),
    file('tls.crt', identity.certPem),
    file('tls.key', identity.keyPem),
    file('ca.crt', identity.caPem),
  ]
}
