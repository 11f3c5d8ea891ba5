/** Installs Istio against transcripts: the commands that would run, and what comes up of an arm. */
import { rm } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { paths } from '../../../../scenarios/paths/index.js'
import type { ClusterAccess } from '../../../../harness/model/cluster-access.js'
import {
  commandsOf,
  fullCache,
  golden,
  scriptOf,
  testArm,
  transcript,
  valuesOf,
} from '../../clusters/testing.js'
import { transcriptCluster } from '../../testdata/transcript-cluster.js'
import { istioAmbient, istioSidecar } from '../istio.js'
import { contextOn, gatewayArm, gatewayComesUp, install, installWithGateway } from './testing.js'

const { 'ingress-to-sidecar': ingressToSidecar, ingress, 'l4-l7-l4': l4L7L4 } = paths

describe.each([istioSidecar, istioAmbient])('$name', (mesh) => {
  test('the commands of an installation, with what they are given', async () => {
    const { cluster, session } = install(`${mesh.name}-install`, mesh)
    const { components, facts } = await session
    expect(cluster.unused()).toEqual([])
    const script = scriptOf(commandsOf(cluster))
    await expect(script).toMatchFileSnapshot(golden(`${mesh.name}-commands.txt`))
    const inputs = cluster.commands.filter(({ command }) => command.endsWith('--values -'))
    expect(inputs.every(({ input }) => (input ?? '') !== '')).toBe(true)
    expect(components.map(({ category }) => category)).toContain('control-plane')
    expect(components.every(({ name }) => cluster.bound.has(name))).toBe(true)
    const retries = facts.find(({ name }) => name === `sizing of ${mesh.name}: retries`)?.value
    // Hard-coded in istiod for what comes into a sidecar; a ztunnel has no retries at all.
    if (mesh === istioSidecar) expect(retries).toMatch(/^0 where requests leave; 2 where they come in/)
    else expect(retries).toBe('0')
  })
})

test('images that were loaded keep their names, whatever mirror they came from', async () => {
  const cacheDir = await fullCache('istio-sidecar')
  const settings = { cacheDir, mirrors: { 'docker.io': 'mirror.example/hub' } }
  const hubWith = async (access: Partial<ClusterAccess>) => {
    const cluster = transcriptCluster(transcript('istio-sidecar-install'), access)
    await istioSidecar.install(contextOn(cluster, istioSidecar, { settings }))
    return (valuesOf(cluster, 'istiod') as { global: { hub: string } }).global.hub
  }
  try {
    expect(await hubWith({ loadArchive: async () => {} })).toBe('docker.io/istio')
    expect(await hubWith({})).toBe('mirror.example/hub/istio')
  } finally {
    await rm(cacheDir, { recursive: true })
  }
})

test('charges of ambient: control plane apart, and every ztunnel of the cluster is charged to something', async () => {
  const { cluster, session, arm } = install('istio-ambient-install')
  const established = await session
  expect(established.components.map(({ name, category }) => `${category} ${name}`)).toEqual([
    'control-plane istio-ambient/istiod',
    'control-plane istio-ambient/istio-cni',
    // That of the client's node is on no arm's path where requests come in through a gateway.
    'l4 istio-ambient/ztunnel on meshbench-worker',
    'l4 istio-ambient/ztunnel on meshbench-worker2',
    'l4 istio-ambient/ztunnel on meshbench-worker3',
    'l4 istio-ambient/ztunnel on meshbench-control-plane',
  ])
  expect(established.components.slice(2).every(({ name, process }) => name === process)).toBe(true)
  cluster.goOn(
    [
      '$ kubectl apply --server-side -f -',
      '$ kubectl wait --for=condition=Programmed *',
      '$ kubectl rollout status deployment/waypoint *\ndeployment "waypoint" successfully rolled out',
      '$ kubectl get service server *\n10.96.0.10',
      '',
    ].join('\n'),
  )
  const raised = await established.raise(arm, l4L7L4)
  expect(raised.endpoint).toEqual({
    host: '10.96.0.10',
    port: 8080,
    authority: 'server.mb-l4-l7-l4.svc.cluster.local:8080',
  })
  expect(raised.components).toMatchObject([
    { hop: 'client-tunnel', category: 'l4', process: 'istio-ambient/ztunnel on meshbench-worker' },
    { hop: 'waypoint', category: 'l7' },
    { hop: 'server-tunnel', category: 'l4', process: 'istio-ambient/ztunnel on meshbench-worker2' },
  ])
  const ztunnelNodes = [...cluster.bound.values()]
    .filter(({ podSelector }) => podSelector === 'app=ztunnel')
    .map(({ nodeName }) => nodeName)
  expect(new Set(ztunnelNodes)).toEqual(new Set(Object.values(cluster.nodes)))
  expect(cluster.shapes.get(arm.id)?.service?.labels).toEqual({ 'istio.io/use-waypoint': 'waypoint' })
  expect(await raised.readCounters(raised.application.name)).toMatchObject({ requests: 7 })
})

test('the way in from outside starts at the gateway’s service and is charged to gateway and ztunnel', async () => {
  const { cluster, session } = install('istio-ambient-install')
  const established = await session
  cluster.goOn(gatewayComesUp)
  const arm = testArm('istio-ambient', 'ingress')
  const raised = await established.raise(arm, ingress)
  expect(cluster.unused()).toEqual([])
  expect(raised.endpoint).toMatchObject({ host: '10.96.0.20', port: 8080 })
  expect(raised.components).toMatchObject([
    { hop: 'gateway', category: 'l7', node: 'waypoint' },
    { hop: 'server-tunnel', category: 'l4', process: 'istio-ambient/ztunnel on meshbench-worker2' },
  ])
  expect(cluster.bound.get('istio-ambient/ingress/gateway')).toEqual({
    namespace: 'mb-ingress',
    podSelector: 'gateway.networking.k8s.io/gateway-name=gateway',
    container: 'istio-proxy',
  })
  expect(cluster.shapes.get(arm.id)?.clientPod?.labels).toEqual({ 'istio.io/dataplane-mode': 'none' })
})

describe('a gateway before sidecars', () => {
  test('the Gateway API comes before istiod, and only for such a path', async () => {
    const { cluster, session } = installWithGateway()
    await session
    expect(cluster.unused()).toEqual([])
    const commands = commandsOf(cluster)
    expect(commands[1]).toMatch(/apply --server-side -f .*gateway-api-.*\.yaml$/)
    expect(commands.findIndex((command) => command.includes('istiod'))).toBeGreaterThan(1)
    const without = install('istio-sidecar-install', istioSidecar)
    await without.session
    expect(commandsOf(without.cluster).some((command) => command.includes('gateway'))).toBe(false)
  })

  test('it starts at the gateway’s service and is charged to gateway and sidecar', async () => {
    const { cluster, session } = installWithGateway()
    const established = await session
    cluster.goOn(gatewayComesUp)
    const raised = await established.raise(gatewayArm, ingressToSidecar)
    expect(cluster.unused()).toEqual([])
    expect(raised.endpoint).toEqual({
      host: '10.96.0.20',
      port: 8080,
      authority: 'gateway-istio.mb-ingress-to-sidecar.svc.cluster.local:8080',
    })
    expect(raised.components).toMatchObject([
      { hop: 'gateway', category: 'l7', node: 'waypoint' },
      { hop: 'server-sidecar', category: 'l7', node: 'server' },
    ])
    // Neither shares its process with anything.
    expect(raised.components.map(({ process }) => process)).toEqual([undefined, undefined])
    expect(cluster.bound.get(`${gatewayArm.id}/server-sidecar`)).toEqual({
      namespace: 'mb-ingress-to-sidecar',
      podSelector: 'app=server',
      container: 'istio-proxy',
    })
    expect(cluster.shapes.get(gatewayArm.id)?.clientPod).toBeUndefined()
  })
})
