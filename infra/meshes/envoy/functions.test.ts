import { describe, expect, it } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { hopSpecs, testPlacement } from '../hops/testing.js'
import { envoyFunctionNames, envoyFunctions, functionDifferences } from './functions.js'
import { renderHop } from './hop.js'

const { 'l4-only': l4Only, 'l4-l7-l4': l4L7L4, 'l7-per-node': l7PerNode } = paths

const clusters = new Map([['server', 'service']])

describe('functions of Envoy', () => {
  it('are off by default and leave the router alone', () => {
    const [spec] = hopSpecs('envoy', l7PerNode)
    if (!spec) throw new Error('no hop')
    const filters = JSON.stringify(renderHop(spec, testPlacement())).match(/envoy\.filters\.http\.[a-z_]+/g)
    expect(new Set(filters)).toEqual(new Set(['envoy.filters.http.router']))
  })

  it('refuse what Envoy has no function for, and every bad field at once', () => {
    const bad = { burn: { cpuUs: 5 }, fault: { delay: { ms: -1 } }, rateLimit: {} }
    expect(() => envoyFunctions(bad)).toThrow(
      /fault\.delay\.ms.*rateLimit\.requestsPerSecond.*burn: not on Envoy/s,
    )
  })

  it('refuse to authorize by principal where no peer is known', () => {
    const rules = {
      authorization: { rules: [{ principals: ['spiffe://cluster.local/ns/bench/sa/client'] }] },
    }
    expect(() => envoyFunctions(rules)).toThrow('knows no peer')
    expect(envoyFunctions(rules, { principal: 'tls', clusters }).filters).toHaveLength(1)
  })

  it('refuse a cluster that is not there', () => {
    expect(() => envoyFunctions({ mirror: { cluster: 'nobody' } }, { clusters })).toThrow(
      'no cluster named nobody',
    )
  })

  it('authorize at a waypoint by the identity that came over HBONE', () => {
    const rules = [{ principals: ['spiffe://cluster.local/ns/bench/sa/client'] }]
    const waypoint = hopSpecs('envoy', l4L7L4, { proxy: { filters: { authorization: { rules } } } })[1]
    if (!waypoint) throw new Error('no waypoint')
    const text = JSON.stringify(renderHop(waypoint, testPlacement()))
    expect(text).toContain('"filter_state":{"key":"meshbench.source"')
  })

  it('authorize ports where HBONE ends, and nowhere else', () => {
    const [outbound, inbound] = hopSpecs('envoy', l4Only, { tunnel: { ports: [8080, 9090] } }).map((spec) =>
      JSON.stringify(renderHop(spec, testPlacement())),
    )
    expect(outbound).not.toContain('rbac')
    const suffixes = [...(inbound ?? '').matchAll(/":authority","string_match":\{"suffix":"([^"]+)"/g)]
    expect(suffixes.map(([, suffix]) => suffix)).toEqual([':8080', ':9090'])
  })

  it('say where they differ from the proxy, as far as they are used', () => {
    expect(functionDifferences({ headers: {}, fault: {} })).toEqual([
      'fault: shares are drawn at random, not exact',
    ])
  })

  it('refuse a rate limit per client, which Envoy has not', () => {
    expect(() => envoyFunctions({ rateLimit: { requestsPerSecond: 1, per: 'principal' } })).toThrow(
      'one bucket',
    )
  })

  it('refuse a circuit breaker that would open no connection', () => {
    expect(() => envoyFunctions({ circuitBreaker: { maxPending: 0 } })).toThrow('no connection at all')
  })

  it('come in one order, whatever the order of the config', () => {
    const rateLimit = { requestsPerSecond: 100, burst: 10 }
    const fault = { abort: { status: 503, percent: 1 } }
    const names = (configs: object) => envoyFunctions({ ...configs }).filters.map(({ name }) => name)
    expect(names({ fault, rateLimit })).toEqual(names({ rateLimit, fault }))
    expect(envoyFunctionNames.indexOf('jwt')).toBeLessThan(envoyFunctionNames.indexOf('authorization'))
  })

  it('retry and mirror in the route, not in the chain', () => {
    const { filters, action } = envoyFunctions(
      { retry: {}, timeouts: { perTryMs: 250 }, mirror: { cluster: 'server', percent: 50 } },
      { clusters },
    )
    expect(filters).toEqual([])
    expect(action).toMatchObject({
      retry_policy: { num_retries: 2, per_try_timeout: '0.25s' },
      request_mirror_policies: [
        {
          cluster: 'service',
          runtime_fraction: { default_value: { numerator: 500_000, denominator: 'MILLION' } },
        },
      ],
    })
  })
})
