/** Whole runs and proofs in namespaces of this machine; skipped, with the reason, where it allows none. */
import type { Duplex } from 'node:stream'
import { describe, expect } from 'vitest'
import { findProgram, run, start } from '../../../harness/process/exec.js'
import { withScope } from '../../../harness/testing/scope.js'
import { createWorkspace, noPage, smallConfig } from '../../../harness/testing/cli.js'
import { test } from '../../../harness/testing/workspace-test.js'
import { packageRoot } from '../../../harness/process/package-root.js'
import { locateBinary } from '../../supply/binaries.js'
import { haproxyHop } from '../../meshes/haproxy/haproxy.js'
import { unmetEbpf } from '../../meshes/kernel/needs.js'
import { lookWhileAway } from '../../meshes/kernel/wire.js'
import { unmetWireguard } from '../../meshes/kernel/wireguard.js'
import { processesOf } from '../../../harness/testing/processes.js'
import { runUnits } from '../../../harness/testing/units.js'
import { tryQuota } from '../local/quota.js'
import { createNamespaces } from './namespaces.js'
import { unmetNeeds } from './needs.js'
import { createNetwork } from './network.js'
import { netnsSettings } from './settings.js'
import { lastAttempts, trialsOf } from '../../../harness/testing/trials.js'

const unmet = await unmetNeeds(netnsSettings.parse({}))
for (const { need, found } of unmet) console.log(`skipped: ${need}: ${found}`)

/** A busy machine may take ten times as long as an idle one. */
const patient = { timeout: 240_000 }

/** One round shows how paths behave, and these tests read no figures. */
const once = { rounds: { min: 1, max: 1 } }

function skipUnlessExtended(skip: () => void): void {
  if (process.env.MESHBENCH_TEST_EXTENDED === '1') return
  console.log('skipped: MESHBENCH_TEST_EXTENDED is not 1 (most of a minute)')
  skip()
}

describe.skipIf(unmet.length > 0)('namespaces', () => {
  test(
    'all paths of the reference mesh run and prove themselves; nothing is left',
    patient,
    async ({ workspace }) => {
      const arms = { reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node', 'ingress'] }
      workspace.writeConfig({ ...smallConfig, ...once, arms, platform: 'netns' })
      const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage)
      expect([stderr, code]).toEqual(['', 0])
      const { entries, header } = workspace.journal('out')
      const environment = entries.find((entry) => entry.type === 'environment')
      expect(environment?.failures).toEqual({})
      const trials = trialsOf(entries)
      expect(trials.filter(({ state }) => state === 'failed')).toEqual([])
      expect(new Set(trials.map(({ cell }) => cell)).size).toBe(header.plan.cells.length)
      const left = await run(['bash', '-c', `grep -l ${header.runId} /proc/[0-9]*/environ 2>/dev/null; true`])
      expect(left.stdout).toBe('')
    },
  )

  test(
    'services of the kernel lead the client to the server and drop a stranger',
    patient,
    async ({ workspace }) => {
      const unmet = await unmetEbpf()
      for (const { need, found } of unmet) console.log(`without the mesh ebpf: ${need}: ${found}`)
      const meshes = ['nftables', ...(unmet.length === 0 ? ['ebpf'] : [])]
      const wireguard = await unmetWireguard()
      for (const { need, found } of wireguard) console.log(`without WireGuard: ${need}: ${found}`)
      const arms = Object.fromEntries(meshes.map((mesh) => [mesh, ['l4-kernel']]))
      if (wireguard.length === 0) arms.nftables?.push('l4-kernel-wireguard')
      workspace.writeConfig({ ...smallConfig, ...once, arms, platform: 'netns' })
      const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage)
      expect([stderr, code]).toEqual(['', 0])
      const { entries } = workspace.journal('out')
      const environment = entries.find((entry) => entry.type === 'environment')
      for (const arm of Object.entries(arms).flatMap(([mesh, paths]) =>
        paths.map((path) => `${mesh}/${path}`),
      )) {
        const proofs = environment?.proofs[arm] ?? []
        expect(proofs.map(({ name }) => name)).toContain('a stranger is dropped')
        expect(proofs.filter(({ ok }) => !ok)).toEqual([])
        const [trial] = lastAttempts(entries).filter(({ cell }) => cell.split('|').includes(arm))
        expect(trial?.proof.find(({ name }) => name === `connections at ${arm}/rules`)?.ok).toBe(true)
      }
    },
  )

  test(
    'a policy and encryption are measured against arms that are without them, on the wire as well',
    patient,
    async ({ workspace, skip }) => {
      skipUnlessExtended(skip)
      const arms = { reference: ['l4-only'], nftables: ['l4-kernel'] }
      const meshSettings = { reference: { capture: 'none' } }
      workspace.writeConfig({ ...smallConfig, ...once, arms, meshSettings, platform: 'netns' })
      const functions = ['--function', 'networkPolicy', 'encryption']
      const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage, ...functions)
      expect([stderr, code]).toEqual(['', 0])
      const { entries } = workspace.journal('out')
      const proofs = entries.find((entry) => entry.type === 'environment')?.proofs ?? {}
      expect(Object.values(proofs).flatMap((checks) => checks.filter(({ ok }) => !ok))).toEqual([])
      const strangers = (arm: string) =>
        (proofs[arm] ?? []).flatMap(({ name }) => /^a stranger is (\w+)/.exec(name)?.[1] ?? [])
      expect(strangers('nftables/l4-kernel@networkPolicy')).toEqual(['dropped'])
      expect(strangers('nftables/l4-kernel@networkPolicy.without')).toEqual(['answered'])
      if ((await findProgram('tcpdump')) === undefined) return
      const onWire = (arm: string) =>
        proofs[arm]?.find(({ name }) => name.startsWith('requests on the wire'))?.actual
      expect(onWire('reference/l4-only@encryption.without')).toBe('clear')
      expect(onWire('reference/l4-only@encryption')).toBe('encrypted')
    },
  )

  test(
    'capture runs beside dialling, and its rules have seen every connection',
    patient,
    async ({ workspace }) => {
      const arms = {
        reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l7-per-node'],
        nftables: ['l4-kernel'],
      }
      workspace.writeConfig({ ...smallConfig, ...once, arms, platform: 'netns' })
      const variants = ['dialled=set:capture=none', 'captured=set:capture=redirect']
      const flags = variants.flatMap((variant) => ['--variant', variant])
      const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage, ...flags)
      expect([stderr, code]).toEqual(['', 0])
      const { entries, header } = workspace.journal('out')
      const trials = trialsOf(entries)
      expect(trials.filter(({ state }) => state === 'failed')).toEqual([])
      const captured = trials.filter(({ cell }) => cell.includes('@captured'))
      const counted = captured.map(({ proof }) =>
        proof.find(({ name }) => /^connections at .*capture$/.test(name)),
      )
      expect(captured.length).toBeGreaterThanOrEqual(3)
      // What cannot be captured is measured once, beside the others.
      const kernel = header.plan.arms.filter(({ mesh }) => mesh === 'nftables')
      expect(kernel.map(({ id }) => id)).toEqual(['nftables/l4-kernel'])
      expect(header.plan.unvaried?.map(({ arm, variant }) => [arm, variant])).toEqual([
        ['nftables/l4-kernel', 'dialled'],
        ['nftables/l4-kernel', 'captured'],
      ])
      const proofs = entries.find((entry) => entry.type === 'environment')?.proofs ?? {}
      const onWire = Object.values(proofs).flatMap((checks) =>
        checks.filter(({ name }) => name.startsWith('requests on the wire')),
      )
      expect(onWire.filter(({ ok }) => !ok)).toEqual([])
      if ((await findProgram('tcpdump')) !== undefined)
        expect(onWire.map(({ actual }) => actual).sort()).toEqual([
          ...['clear', 'clear', 'clear'],
          ...['encrypted', 'encrypted', 'encrypted', 'encrypted'],
        ])
      expect(counted.filter((check) => check?.ok !== true)).toEqual([])
      const whileAway = Object.entries(proofs).flatMap(([arm, checks]) =>
        checks.flatMap(({ name, actual }) => (name.startsWith('plaintext while') ? [[arm, actual]] : [])),
      )
      if ((await findProgram('tcpdump')) !== undefined)
        expect(whileAway).toEqual(arms.reference.map((path) => [`reference/${path}@captured`, 'none']))
      const inPod = Object.values(proofs).flatMap((checks) =>
        checks.filter(({ name }) => name.endsWith('in its pod')),
      )
      expect(inPod.map(({ name, ok }) => [name, ok])).toEqual([
        ['socket of client-tunnel in its pod', true],
        ['socket of server-tunnel in its pod', true],
      ])
    },
  )

  test(
    'haproxy takes connections under the address that they are meant for',
    patient,
    async ({ workspace, skip }) => {
      const found = haproxyHop.need && (await locateBinary(haproxyHop.need))
      if (typeof found !== 'string') skip(`no haproxy: ${found?.found ?? ''}`)
      workspace.writeConfig({
        ...{ ...smallConfig, ...once, platform: 'netns' },
        arms: { haproxy: ['l7-per-node', 'l7-sidecar-to-sidecar'] },
        meshSettings: { haproxy: { capture: 'tproxy' } },
      })
      const { code, stderr } = await workspace.meshbench(
        'run',
        '--arm',
        'haproxy/l7-per-node',
        'haproxy/l7-sidecar-to-sidecar',
        '--out',
        'out',
        ...noPage,
      )
      expect([stderr, code]).toEqual(['', 0])
      const captured = trialsOf(workspace.journal('out').entries).filter(({ cell }) =>
        cell.includes('haproxy'),
      )
      const counted = captured.map(({ proof }) =>
        proof.find(({ name }) => /^connections at .*capture$/.test(name)),
      )
      expect(captured.length).toBeGreaterThanOrEqual(2)
      expect(counted.filter((check) => check?.ok !== true)).toEqual([])
    },
  )

  test(
    'units of L7 carry a load together, and are refused nodes of their own',
    patient,
    async ({ workspace, skip }) => {
      skipUnlessExtended(skip)
      const [unmet] = await tryQuota()
      if (unmet) console.log(`without limits of CPU: ${unmet.found}`)
      const { runId } = await runUnits(workspace, 'netns', unmet === undefined)
      expect(processesOf(runId)).toEqual([])
      const captured = await workspace.meshbench('doctor', '--variant', 'captured=set:capture=redirect')
      expect(captured.code).toBe(3)
      expect(captured.stdout + captured.stderr).toContain('for the units of experiment scale-out')
    },
  )

  test('an ordinary user runs it through user namespaces', patient, async ({ skip }) => {
    const workspace = createWorkspace({ source: packageRoot })
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all']
    try {
      const refusal = await run([
        ...nobody,
        'unshare',
        '--user',
        '--map-root-user',
        '--net',
        'ls',
        packageRoot,
      ]).then(
        () => undefined,
        (error: unknown) => String(error),
      )
      if (refusal !== undefined) skip(`no run as another user: ${refusal}`)
      const arms = { reference: ['l4-only'], nftables: ['l4-kernel'] }
      workspace.writeConfig({ ...smallConfig, ...once, arms, platform: 'netns' })
      const command = `chmod 777 . && HOME=$PWD XDG_CACHE_HOME= exec ${nobody.join(' ')} "$@" run --out $PWD/out ${noPage.join(' ')}`
      const { code, stderr } = await workspace.shell(command)
      expect([stderr, code]).toEqual(['', 0])
      const { entries } = workspace.journal('out')
      const environment = entries.find((entry) => entry.type === 'environment')
      expect(environment?.failures).toEqual({})
      expect(environment?.facts.find(({ name }) => name === 'platform')?.value).toContain(
        'in a user namespace',
      )
      expect(trialsOf(entries).filter(({ state }) => state === 'failed')).toEqual([])
    } finally {
      workspace.remove()
    }
  })

  test.for(['own', 'user-namespace'] as const)(
    'pods of two nodes reach each other, with privilege %s',
    async (privilege, { skip }) => {
      await withScope('netns-test', async (scope) => {
        const network = await createNetwork({
          namespaces: createNamespaces(privilege, scope),
          settings: netnsSettings.parse({ rateMbit: 100 }),
          scope,
          block: 77,
        }).catch((error: unknown) => skip(`privilege ${privilege}: ${String(error)}`))
        const [client, server] = [await network.pod('client', 'a'), await network.pod('server', 'b')]
        expect(await network.nodes.client.run(['tc', 'qdisc', 'show', 'dev', 'eth0'])).toContain('tbf')
        const script = `require('net').createServer((socket) => socket.end(socket.remoteAddress)).listen(80, '${server.address}', () => console.log('up'))`
        const listener = start({ argv: server.namespace.enter([process.execPath, '-e', script]) })
        scope.defer('end it', async () => {
          listener.kill('SIGKILL')
          await listener.exited
        })
        await listener.lines[Symbol.asyncIterator]().next()
        const ask = `require('net').connect(80, '${server.address}').on('data', (data) => console.log(String(data)))`
        expect((await client.namespace.run([process.execPath, '-e', ask])).trim()).toBe(client.address)
        const bytes: Buffer[] = []
        const stream = network.connect({ host: server.address, port: 80 }) as Duplex
        for await (const chunk of stream) bytes.push(chunk as Buffer)
        expect(Buffer.concat(bytes).toString()).toBe('10.77.0.254')
        // What nothing encrypts is found while whatever stood before it is away, and what nobody takes is not.
        const changes: string[] = []
        const look = async (port: number) => {
          const endpoint = { host: server.address, port }
          const change = async (what: string) => void changes.push(what)
          return (await lookWhileAway({ network, scope, client, endpoint, change })).map(
            ({ actual }) => actual,
          )
        }
        const seen = [...(await look(80)), ...(await look(81))]
        const unseen = seen.find((actual) => actual.startsWith('not looked at'))
        if (seen.length === 0 || unseen !== undefined) skip(`no look at packets: ${unseen ?? 'no tcpdump'}`)
        expect(seen).toEqual(['clear', 'none'])
        expect(changes).toEqual(['kill', 'start', 'kill', 'start'])
      })
    },
  )
})
