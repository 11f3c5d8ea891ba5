import { describe, expect, test } from 'vitest'
import { readTestdata } from '../clusters/testing.js'
import { readCiliumEnvoyCounters } from './hop.js'
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
    expect(parseAgentStatus(output('status-l7-redirect'))).toEqual({
      kubeProxyReplacement: true,
      envoyMode: 'external',
      redirects: [{ endpointId: 159, direction: 'ingress' }],
    })
  })
  test('an agent without redirects has null for a list', () => {
    expect(parseAgentStatus(output('status-server'))).toMatchObject({ redirects: [] })
  })
  test('kube-proxy still there', () => {
    const partly = output('status-server').replace(/"mode": "True"/, '"mode": "False"')
    expect(parseAgentStatus(partly).kubeProxyReplacement).toBe(false)
  })
  test('a status without a proxy part is an error', () => {
    expect(() => parseAgentStatus('{"kube-proxy-replacement":{"mode":"True"}}')).toThrow('proxy')
  })
})

describe('authentication map', () => {
  test('entries with their kind and end', () => {
    expect(parseAuthList(output('auth'))[0]).toEqual({
      localIdentity: 63_119,
      remoteIdentity: 55_880,
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
  test("the endpoint of a pod is the one with the pod's address", () => {
    expect(parseEndpoint(output('endpoints-server'), ['10.244.1.122'])).toEqual({
      id: 332,
      identity: 63_119,
      enforced: 'ingress',
    })
    expect(parseEndpoint(output('endpoints-client'), ['fd00::7', '10.244.2.186'])?.id).toBe(1718)
  })
  test('an address of the other family is found, too', () => {
    const text = output('endpoints-server').replace('"ipv4": "10.244.1.122"', '"ipv6": "fd00::7a"')
    expect(parseEndpoint(text, ['fd00::7a'])?.id).toBe(332)
  })
  test('a pod that the agent does not know has none, nor has one without an address', () => {
    expect(parseEndpoint(output('endpoints-server'), ['10.244.9.9'])).toBeUndefined()
    expect(parseEndpoint(output('endpoints-server'), [])).toBeUndefined()
  })
  test('one that waits for Envoy enforces nothing yet, whatever policy selects it', () => {
    expect(parseEndpoint(output('endpoints-server-regenerating'), ['10.244.4.224'])?.enforced).toBe('none')
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
