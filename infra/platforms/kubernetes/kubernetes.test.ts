import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fakeProgram } from '../cluster/api/testing.js'
import type { ClusterHost } from '../../../harness/model/cluster-access.js'
import { silentProgress, withScope } from '../../../harness/testing/scope.js'
import { clusterTools } from '../../meshes/declared.js'
import { kubernetes } from './kubernetes.js'
import { assignNodes, type NodeInfo } from './nodes.js'
import { kubernetesSettings, looksLikeProduction } from './settings.js'
import { testRequest } from '../../../harness/testing/request.js'

const node = (
  name: string,
  parts: { ready?: boolean; taint?: string; labels?: Record<string, string> } = {},
): NodeInfo => ({
  metadata: { name, labels: parts.labels ?? {} },
  spec: parts.taint === undefined ? {} : { taints: [{ key: 'dedicated', effect: parts.taint }] },
  status: { conditions: [{ type: 'Ready', status: parts.ready === false ? 'False' : 'True' }] },
})

describe('assignNodes', () => {
  it('gives each role a node of its own, by name', () => {
    const assigned = assignNodes([node('c'), node('a'), node('b')], {})
    expect(assigned).toMatchObject({ client: 'a', server: 'b', waypoint: 'c' })
  })

  it('passes over nodes that are not ready or repel pods', () => {
    const nodes = [node('a', { ready: false }), node('b', { taint: 'NoSchedule' }), node('c'), node('d')]
    expect(assignNodes(nodes, {})).toMatchObject({ client: 'c', server: 'd', waypoint: 'd' })
  })

  it('leaves control planes to a node without a role, or to the waypoint’s', () => {
    const controlPlane = (...names: string[]) =>
      assignNodes(
        names.map((name) => node(name)),
        {},
      )['control-plane']
    expect(controlPlane('a', 'b', 'c', 'd')).toBe('d')
    expect(controlPlane('a', 'b', 'c')).toBe('c')
    expect(controlPlane('a')).toBe('a')
  })

  it('takes the nodes that were asked for first', () => {
    const nodes = [node('a', { labels: { pool: 'load' } }), node('b'), node('c')]
    expect(assignNodes(nodes, { server: { pool: 'load' } })).toMatchObject({
      client: 'b',
      server: 'a',
      waypoint: 'c',
    })
    expect(() => assignNodes(nodes, { client: { pool: 'gpu' } })).toThrow(/client/)
  })

  it('respects nodes that are kept for a role by the taint of that role', () => {
    const kept = (name: string, value: string): NodeInfo => ({
      ...node(name),
      spec: { taints: [{ key: 'meshbench.role', value, effect: 'NoSchedule' }] },
    })
    const nodes = [kept('a', 'waypoint'), kept('b', 'server'), kept('c', 'client')]
    expect(assignNodes(nodes, {})).toMatchObject({ client: 'c', server: 'b', waypoint: 'a' })
    expect(() => assignNodes([kept('a', 'waypoint')], {})).toThrow(/client/)
  })

  it('refuses a node that no pod can be pinned to, since its label is not its name', () => {
    const labels = (hostname: string) => ({ labels: { 'kubernetes.io/hostname': hostname } })
    expect(assignNodes([node('a', labels('a'))], {})).toMatchObject({ client: 'a' })
    expect(() => assignNodes([node('a', labels('a.example')), node('b')], {})).toThrow(
      'the node a has the label kubernetes.io/hostname=a.example',
    )
    // One that plays no part may be called as it likes.
    const parts = ['a', 'b', 'c', 'd'].map((name) => node(name))
    expect(assignNodes([...parts, node('e', labels('e.example'))], {})['control-plane']).toBe('d')
  })

  it('refuses a cluster without a usable node', () => {
    expect(() => assignNodes([], {})).toThrow(/no node/)
  })
})

describe('contexts', () => {
  it.each(['prod', 'eu-prod-1', 'gke_acme_production', 'live.example.com'])(
    '%s looks like production',
    (name) => {
      expect(looksLikeProduction(name)).toBe(true)
    },
  )

  it.each(['kind-x', 'staging', 'product-team-dev', 'olive'])('%s does not', (name) => {
    expect(looksLikeProduction(name)).toBe(false)
  })
})

it('settings name a wrong field', () => {
  expect(() => kubernetesSettings.parse({ contxt: 'x' })).toThrow(/contxt/)
})

describe('kubectl', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meshbench-kubernetes-'))
    vi.stubEnv('PATH', folder)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  })

  it('reads KUBECONFIG itself, which may name several files', async () => {
    vi.stubEnv('KUBECONFIG', '/a:/b')
    const nodes = JSON.stringify({ items: [node('a')] })
    const log = join(folder, 'log')
    const answer = `case "$*" in *current-context*) echo lab ;; *) echo '${nodes}' ;; esac`
    await fakeProgram(folder, 'kubectl', `echo "$KUBECONFIG $*" >> ${log}\n${answer}`)
    const images = { echo: 'a', tunnel: 'b', proxy: 'c', loadgen: 'd' }
    const config = { platform: 'kubernetes', platformSettings: { kubernetes: { images } } }
    expect(await kubernetes.check(testRequest({ config }))).toEqual([])
    expect((await readFile(log, 'utf8')).split('\n').filter(Boolean)).toEqual([
      '/a:/b config current-context',
      '/a:/b get nodes -o json',
    ])
  })

  it('stays with the context that the run began with, whatever becomes the current one', async () => {
    const nodes = JSON.stringify({ items: [node('a')] })
    const log = join(folder, 'log')
    const versions = "{ items: [{ status: { nodeInfo: { kubeletVersion: 'v1.34.4' } } }] }"
    const serve = `require('node:http').createServer((_, r) => r.end(JSON.stringify(${versions})))`
    const listen = `${serve}.listen(process.argv.at(-1).split('=')[1])`
    const answer = [
      'case "$*" in',
      '*current-context*) echo lab ;;',
      `*unix-socket*) exec '${process.execPath}' -e "${listen}" -- "$@" ;;`,
      `*) echo '${nodes}' ;;`,
      'esac',
    ].join('\n')
    await fakeProgram(folder, 'kubectl', `echo "$*" >> ${log}\n${answer}`)
    const images = { echo: 'a', tunnel: 'b', proxy: 'c', loadgen: 'd' }
    const config = { platform: 'kubernetes', platformSettings: { kubernetes: { images } } }
    await withScope('r', async (scope) => {
      const host = await kubernetes.create(testRequest({ config }), scope, silentProgress)
      await (host as ClusterHost).cluster.kubectl(['apply', '-f', 'x'])
    })
    const commands = (await readFile(log, 'utf8')).split('\n').filter(Boolean)
    const isTold = (command: string) => command.startsWith('--context lab ')
    const afterwards = commands.slice(commands.findIndex(isTold))
    expect(afterwards.filter((command) => !isTold(command))).toEqual([])
    expect(afterwards).toContain('--context lab apply -f x')
  })

  it('comes with helm for meshes that are installed with charts, and for no others', () => {
    const toolsOf = (mesh: string) => clusterTools(testRequest({ arms: [{ mesh }] }))
    expect(toolsOf('istio-ambient')).toEqual(['kubectl', 'helm'])
    expect(toolsOf('reference')).toEqual(['kubectl'])
  })
})
