import { describe, expect, test } from 'vitest'
import { readTestdata } from '../testdata/transcript-cluster.js'
import { readCiliumEnvoyCounters } from './counters.js'
import { parseAgentStatus, parseAuthList, parseEncryptStatus, parseEndpoint } from './status.js'

const output = (name: string) => readTestdata(`cilium/${name}.json`)

describe('encryption', () => {
  test('WireGuard with its peers', () => {
    expect(parseEncryptStatus(output('encrypt-wireguard'))).toEqual({ mode: 'Wireguard', peers: 3 })
  })
  test('an agent that leaves out a count of 0 has no peers', () => {
    expect(parseEncryptStatus(output('encrypt-wireguard-lonely'))).toEqual({ mode: 'Wireguard', peers: 0 })
  })
  test('off', () => {
    expect(parseEncryptStatus(output('encrypt-disabled'))).toEqual({ mode: 'Disabled', peers: 0 })
  })
  test('what is not a status is an error, not "off"', () => {
    expect(() => parseEncryptStatus('')).toThrow('cilium-dbg encrypt status gave no JSON')
    expect(() => parseEncryptStatus('Cilium API client timeout exceeded')).toThrow('gave no JSON')
    expect(() => parseEncryptStatus('{}')).toThrow('cilium-dbg encrypt status: mode')
  })
})

describe('agent status', () => {
  test('redirects name endpoint and direction', () => {
    expect(parseAgentStatus(output('status-l7'))).toEqual({
      kubeProxyReplacement: true,
      envoyMode: 'external',
      totalRedirects: 1,
      redirects: [{ endpointId: 812, direction: 'ingress' }],
    })
  })
  test('an agent without redirects leaves the list out', () => {
    expect(parseAgentStatus(output('status-l4')).redirects).toEqual([])
  })
  test('kube-proxy still there', () => {
    expect(parseAgentStatus(output('status-kube-proxy')).kubeProxyReplacement).toBe(false)
  })
  test('a status without a proxy part is an error', () => {
    expect(() => parseAgentStatus('{"kube-proxy-replacement":{"mode":"True"}}')).toThrow('proxy')
  })
})

describe('authentication map', () => {
  test('entries with their kind and end', () => {
    expect(parseAuthList(output('auth'))[0]).toEqual({
      localIdentity: 21_044,
      remoteIdentity: 34_820,
      spire: true,
      expiresAt: new Date('2099-01-01T00:00:00Z'),
    })
  })
  test('the type that always fails is not SPIRE', () => {
    expect(parseAuthList(output('auth-other'))[0]?.spire).toBe(false)
  })
  test('an empty map is printed as null', () => {
    expect(parseAuthList(output('auth-none'))).toEqual([])
  })
  test('a map that is not there is an error', () => {
    expect(() => parseAuthList('Cannot find auth bpf map')).toThrow('gave no JSON')
  })
})

describe('endpoints', () => {
  test('the endpoint of a pod is found by namespace and name', () => {
    expect(parseEndpoint(output('endpoints-server'), 'bench', 'pod-0')).toEqual({
      id: 812,
      identity: 21_044,
      enforced: 'ingress',
    })
  })
  test('a pod that the agent does not know has none', () => {
    expect(parseEndpoint(output('endpoints-server'), 'bench', 'pod-9')).toBeUndefined()
  })
})

describe('shared Envoy', () => {
  test("counts what policies sent through it, not its own metrics' and health requests", () => {
    const page = readTestdata('metrics/cilium-envoy.prom')
    expect(readCiliumEnvoyCounters(page, 'policy')).toEqual({ requests: 5000 })
    expect(readCiliumEnvoyCounters(page, 'gateway')).toEqual({ requests: 700 })
  })
  test('without a redirect it counts nothing, however often it was scraped', () => {
    expect(readCiliumEnvoyCounters(readTestdata('metrics/cilium-envoy-bypassed.prom'), 'policy')).toEqual({
      requests: 0,
    })
  })
})
