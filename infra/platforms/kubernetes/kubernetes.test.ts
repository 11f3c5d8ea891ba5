import { describe, expect, it } from 'vitest'
import { assignNodes, type NodeInfo } from './nodes.js'
import { kubernetesSettings, looksLikeProduction } from './settings.js'

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
  const request = { config: { platformSettings: { kubernetes: { contxt: 'x' } } } } as never
  expect(() => kubernetesSettings(request)).toThrow(/contxt/)
})
