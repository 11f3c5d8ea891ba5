/** Envoy itself judges its configs, carries traffic in every role, and meets this repository's hops over HBONE. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../harness/process/exec.js'
import type { Endpoint, Hop, Mesh, Path, RaisedArm } from '../../../harness/model.js'
import { paths } from '../../../scenarios/paths/index.js'
import { locateBinary } from '../../supply/binaries.js'
import { createAuthority, spiffeId } from '../../platforms/kit/identity.js'
import { envoy, envoyProxy, tunnelEnvoy } from './envoy.js'
import { createHopMesh, type HopProgram, type HopSpec } from '../hops/hop-mesh.js'
import { ownTunnel } from '../hops/own-hops.js'
import { namespace, trustDomain } from '../reference/names.js'
import { hopSpecs, openTestHost, testArm, testPlacement, type TestHost } from '../hops/testing.js'
import { exchangeTcp, getMany } from './testing.js'
import { envoyHop, envoyNeed, renderHop } from './hop.js'

const { 'l4-l7-l4': l4L7L4, 'l4-only': l4Only } = paths

const found = await locateBinary(envoyNeed)
const missing = typeof found === 'string' ? undefined : found
if (missing) console.warn(`skipped: ${missing.need}: ${missing.found}; ${missing.remedy}`)
const binary = typeof found === 'string' ? found : ''

describe.skipIf(missing)('Envoy', () => {
  let test: TestHost
  beforeAll(async () => {
    test = await openTestHost(['echo', 'tunnel', 'proxy'])
  })
  afterAll(() => test.close())

  async function raise(mesh: Mesh, path: Path): Promise<RaisedArm> {
    const session = await mesh.install(test.context)
    return session.raise(testArm(mesh.name, path), path)
  }

  describe('accepts the bootstrap', () => {
    let folder = ''
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'meshbench-envoy-'))
      const identity = await (
        await createAuthority({ trustDomain })
      ).issue(spiffeId(trustDomain, namespace, 'client'))
      await writeFile(join(folder, 'cert.pem'), identity.certPem)
      await writeFile(join(folder, 'key.pem'), identity.keyPem)
      await writeFile(join(folder, 'ca.pem'), identity.caPem)
    })
    afterAll(() => rm(folder, { recursive: true }))

    for (const name of envoy.paths) {
      const path = paths[name as keyof typeof paths]
      for (const [index, spec] of hopSpecs('envoy', path).entries()) {
        it(`of ${name}/${spec.hop.name}`, async () => {
          const file = join(folder, `${name}-${spec.hop.name}.json`)
          await writeFile(file, JSON.stringify(renderHop(spec, testPlacement(index, folder))))
          const { stdout, stderr } = await run([binary, '--mode', 'validate', '-c', file])
          expect(stdout + stderr).toContain('OK')
          expect(stdout + stderr).not.toMatch(/deprecated/i)
        })
      }
    }
  })

  for (const name of envoy.paths) {
    it(`carries ${name}, proves it and refuses impostors`, async () => {
      await carries(await raise(envoy, paths[name as keyof typeof paths]))
    })
  }

  it('ends and opens HBONE as a waypoint between two of our tunnels', async () => {
    await carries(await raise(tunnelEnvoy, l4L7L4))
  })

  it('opens HBONE towards our waypoint, and ends what that opens', async () => {
    await carries(await raise(envoyProxy, l4L7L4))
  })

  it('ends HBONE that our tunnel opens', async () => {
    await carries(await raise(oneSided('ours-to-envoy', 'tunnel-inbound'), l4Only))
  })

  it('opens HBONE that our tunnel ends', async () => {
    await carries(await raise(oneSided('envoy-to-ours', 'tunnel-outbound'), l4Only))
  })

  describe.each([
    ['both ends Envoy', false, () => envoy],
    ['ours to Envoy', false, () => oneSided('bytes-ours-to-envoy', 'tunnel-inbound')],
    ['Envoy to ours', true, () => oneSided('bytes-envoy-to-ours', 'tunnel-outbound')],
  ] as const)('carries bytes exactly, %s:', (_title, serverMayEndFirst, mesh) => {
    // Envoy 1.40 ends a CONNECT stream as soon as the server has ended its half, with
    // `allow_multiplexed_upstream_half_close` as without; so nothing that the client sends later arrives.
    it(`a server that has ended its half ${serverMayEndFirst ? 'still gets' : 'no longer gets'} what the client sends`, async () => {
      const server = createServer({ allowHalfOpen: true })
      const received: Buffer[] = []
      server.on('connection', (socket) => {
        // The server ends its half first, and goes on reading until the client has ended, too.
        socket.end('server is done')
        socket.on('data', (chunk) => received.push(chunk))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const arm = await raiseTo(mesh(), server.address() as AddressInfo)
      const sent = Buffer.alloc(3_000_000, 'meshbench')
      const { reply, reset } = await exchangeTcp(arm, sent, { afterReply: true })
      if (!reset) expect(reply.toString()).toBe('server is done')
      const whole = () => Buffer.concat(received)
      if (serverMayEndFirst) {
        await expect.poll(() => whole().length).toBe(sent.length)
        expect(whole().equals(sent)).toBe(true)
        expect(reset).toBe(false)
      } else {
        // The stream's reset may overtake the reply; then the client is told so, and has a part of it at most.
        expect('server is done'.startsWith(reply.toString())).toBe(true)
        expect(whole().length).toBeLessThan(sent.length)
      }
      server.close()
    })

    it('a client that has ended its half still gets the whole reply', async () => {
      const body = Buffer.alloc(5_000_000, '0123456789')
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.resume()
        socket.once('end', () => socket.end(body))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const arm = await raiseTo(mesh(), server.address() as AddressInfo)
      const { reply } = await exchangeTcp(arm, Buffer.from('request'))
      expect(reply.equals(body)).toBe(true)
      server.close()
    })
  })

  it('refuses a server with another identity than it expects', async () => {
    const authority = await createAuthority({ trustDomain })
    const issue = (account: string) => authority.issue(spiffeId(trustDomain, namespace, account))
    const [client, server, intruder] = await Promise.all([
      issue('client'),
      issue('server'),
      issue('intruder'),
    ])
    const statusWith = async (shown: typeof server) => {
      const impostor = createTlsServer(
        { cert: shown.certPem, key: shown.keyPem, ca: shown.caPem, ALPNProtocols: ['http/1.1'] },
        (socket) => {
          socket.on('error', () => {})
          socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
        },
      )
      impostor.on('tlsClientError', () => {})
      await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve))
      const [template] = hopSpecs(
        `refusal-${shown.spiffeId.split('/').pop() ?? ''}`,
        paths['l7-sidecar-to-sidecar'],
      )
      if (!template) throw new Error('no hop')
      const { port } = impostor.address() as AddressInfo
      const spec: HopSpec = {
        ...template,
        identity: client,
        after: server,
        upstream: { host: '127.0.0.1', port },
      }
      const sidecar = await test.host.deploy(envoyHop.workload(spec, binary))
      const [answer] = await getMany(endpoint(sidecar.endpoints.downstream), 1)
      impostor.close()
      return answer?.status
    }
    expect(await statusWith(server)).toBe(200)
    expect(await statusWith(intruder)).toBe(503)
  })

  async function carries(arm: RaisedArm): Promise<void> {
    const proofs = await arm.prove()
    expect(proofs.filter(({ ok }) => !ok)).toEqual([])
    const before = await counters(arm)
    const answers = await getMany(arm.endpoint, 200)
    expect(answers.filter(({ status, bytes }) => status !== 200 || bytes !== 1024)).toEqual([])
    const after = await counters(arm)
    for (const component of arm.components) {
      const moved = (key: 'requests' | 'downstreamConnections' | 'receivedBytes' | 'sentBytes') =>
        (after[component.name]?.[key] ?? 0) - (before[component.name]?.[key] ?? 0)
      if (component.category === 'l7') expect(moved('requests')).toBe(200)
      else expect(moved('downstreamConnections')).toBeGreaterThan(0)
      expect(moved('sentBytes')).toBeGreaterThanOrEqual(200 * 1024)
      expect(moved('receivedBytes')).toBeGreaterThan(0)
    }
  }

  async function counters(arm: RaisedArm) {
    const read = await Promise.all(
      arm.components.map(async ({ name }) => [name, await arm.readCounters(name)] as const),
    )
    return Object.fromEntries(read)
  }

  /** Both hops of `l4-only` in front of a server of the test's own. */
  async function raiseTo(mesh: Mesh, { port }: AddressInfo): Promise<Endpoint> {
    const application = { host: '127.0.0.1', port }
    const echo = await test.host.startApplication(testArm(mesh.name, l4Only), l4Only)
    const host = {
      ...test.host,
      startApplication: async () => ({ component: echo.component, endpoints: { http: application } }),
    }
    const session = await mesh.install({ ...test.context, host })
    const arm = { ...testArm(mesh.name, l4Only), id: `${mesh.name}/l4-only-${port}` }
    return (await session.raise(arm, l4Only)).endpoint
  }
})

/** A mesh whose one tunnel is Envoy, and whose other is ours. */
function oneSided(name: string, envoyRole: Hop['role']): Mesh {
  const programOf = (spec: HopSpec) => (spec.hop.role === envoyRole ? envoyHop : ownTunnel)
  const mixed: HopProgram = {
    name,
    need: envoyNeed,
    facts: (settings) => envoyHop.facts(settings),
    workload: (spec, program) => programOf(spec).workload(spec, program),
    readCounters: (fetchAdmin, spec) => programOf(spec).readCounters(fetchAdmin, spec),
  }
  return createHopMesh({ name, summary: '', paths: ['l4-only'], l4: mixed })
}

function endpoint(value: Endpoint | undefined): Endpoint {
  if (!value) throw new Error('no endpoint')
  return value
}
