/** haproxy, nginx and Finagle carry the paths that they can, prove them, and refuse impostors where legs are encrypted. */
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Identity } from '../../../harness/model.js'
import { paths } from '../../../scenarios/paths/index.js'
import { locateBinary } from '../../supply/binaries.js'
import { createAuthority, spiffeId } from '../../platforms/kit/identity.js'
import { getMany } from '../envoy/testing.js'
import { finagle, finagleHop } from '../finagle/finagle.js'
import { haproxy, haproxyHop } from '../haproxy/haproxy.js'
import { dnsNameOf } from './hop-mesh.js'
import { nginx, nginxHop } from '../nginx/nginx.js'
import { namespace, trustDomain } from '../reference/names.js'
import { hopSpecs, openTestHost, testArm, type TestHost } from './testing.js'

for (const { mesh, program, refusal } of [
  { mesh: haproxy, program: haproxyHop, refusal: 503 },
  { mesh: nginx, program: nginxHop, refusal: 502 },
  { mesh: finagle, program: finagleHop },
]) {
  const { need } = program
  if (!need) throw new Error(`${program.name} is nobody's program`)
  const found = await locateBinary(need)
  const unmet = typeof found === 'string' ? undefined : found
  const binary = typeof found === 'string' ? found : ''
  if (unmet) console.warn(`skipped: ${unmet.need}: ${unmet.found}; ${unmet.remedy}`)

  describe.skipIf(unmet)(mesh.name, () => {
    let test: TestHost
    beforeAll(async () => {
      test = await openTestHost(['echo'])
    })
    afterAll(() => test.close())

    it.each(mesh.paths)('carries %s to the request, and proves it', async (name) => {
      const path = paths[name as keyof typeof paths]
      const session = await mesh.install(test.context)
      const arm = await session.raise(testArm(mesh.name, path), path)
      const proofs = await arm.prove()
      expect(proofs.filter(({ ok }) => !ok)).toEqual([])
      expect(proofs.length).toBe(path.legs.filter((leg) => leg === 'mtls').length * 5)
      const read = () => Promise.all(arm.components.map((component) => arm.readCounters(component.name)))
      const before = await read()
      const answers = await getMany(arm.endpoint, 300)
      expect(answers.filter(({ status, bytes }) => status !== 200 || bytes !== 1024)).toEqual([])
      const after = await read()
      expect(after.map(({ requests }, index) => (requests ?? 0) - (before[index]?.requests ?? 0))).toEqual(
        arm.components.map(() => 300),
      )
      // The second hop's connections are the first hop's pool: as many as there were clients, or fewer.
      const connections = after.map(
        ({ downstreamConnections }, index) =>
          (downstreamConnections ?? 0) - (before[index]?.downstreamConnections ?? 0),
      )
      expect(connections[0]).toBe(4)
      expect(connections.every((count) => count >= 1 && count <= 4)).toBe(true)
      // A connection that closes without a request is none, and a load at rest has many.
      const idle = connect(arm.endpoint.port, arm.endpoint.host, () => idle.end()).resume()
      await once(idle, 'close')
      expect((await read()).map(({ requests }) => requests)).toEqual(after.map(({ requests }) => requests))
    })

    if (refusal === undefined) return
    it('refuses a server with another identity than it expects', async () => {
      const authority = await createAuthority({ trustDomain })
      const issue = (account: string) => {
        const id = spiffeId(trustDomain, namespace, account)
        return authority.issue(id, { dnsNames: [dnsNameOf(id)] })
      }
      const [client, server, intruder] = await Promise.all([
        issue('client'),
        issue('server'),
        issue('intruder'),
      ])
      const statusWith = async (shown: Identity) => {
        const impostor = createTlsServer({ cert: shown.certPem, key: shown.keyPem }, (socket) => {
          socket.on('error', () => {})
          socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
        })
        impostor.on('tlsClientError', () => {})
        await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve))
        const { port } = impostor.address() as AddressInfo
        const [template] = hopSpecs(`refusal-${port}`, paths['l7-sidecar-to-sidecar'])
        if (!template) throw new Error('no hop')
        const upstream = { host: '127.0.0.1', port }
        const spec = { ...template, identity: client, after: server, upstream }
        const workload = program.workload(spec, binary)
        const { downstream } = (await test.host.deploy(workload)).endpoints
        if (!downstream) throw new Error('no endpoint')
        const [answer] = await getMany(downstream, 1)
        impostor.close()
        return answer?.status
      }
      expect(await statusWith(server)).toBe(200)
      expect(await statusWith(intruder)).toBe(refusal)
    })
  })
}
