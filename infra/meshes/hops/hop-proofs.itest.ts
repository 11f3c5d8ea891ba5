import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createSecureServer } from 'node:http2'
import { connect, type AddressInfo, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:https'
import type { TlsOptions } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Arm, Endpoint, Host, Identity, Path } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { carriedPath } from '../../../harness/model/paths.js'
import { paths } from '../../../scenarios/paths/index.js'
import { createAuthority, spiffeId } from '../../platforms/kit/identity.js'
import { proveEncryptedLegs, type Impostors } from './hop-proofs.js'
import { hopSpecs } from './testing.js'

const { 'l4-only': l4Only, 'l7-sidecar-to-sidecar': l7SidecarToSidecar } = paths

const id = (account: string) => spiffeId('cluster.local', 'bench', account)
let server: Identity
let client: Identity
let impostors: Impostors
const running: Server[] = []

beforeAll(async () => {
  const [own, foreign] = await Promise.all([
    createAuthority({ trustDomain: 'cluster.local' }),
    createAuthority({ trustDomain: 'cluster.local' }),
  ])
  server = await own.issue(id('server'))
  client = await own.issue(id('client'))
  impostors = { intruder: await own.issue(id('intruder')), foreign: (name) => foreign.issue(name) }
})
afterEach(() => {
  for (const listening of running.splice(0)) listening.close()
})

/** Names of the checks that fail against a port. */
async function failing(
  listening: Server,
  path: Path,
  transport?: NonNullable<Arm['transport']>,
): Promise<string[]> {
  running.push(listening)
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  const inbound = hopSpecs('test', carriedPath(defined({ transport }), path))[1]
  if (!inbound) throw new Error('paths have changed')
  const hop = {
    spec: { ...inbound, arm: { ...inbound.arm, ...defined({ transport }) }, before: client },
    deployed: {
      component: { name: 'hop', category: 'l7', node: 'server' },
      endpoints: { downstream: { host: '127.0.0.1', port } },
    } as const,
  }
  const host = { connect: ({ host: address, port }: Endpoint) => connect(port, address) } as unknown as Host
  const checks = await proveEncryptedLegs([hop], host, impostors)
  expect(checks).toHaveLength(transport === undefined ? 5 : 2)
  return checks.filter(({ ok }) => !ok).map(({ name }) => name.replace(/spiffe:\S+\//, ''))
}

function mutual(extra: TlsOptions = {}): TlsOptions {
  return { cert: server.certPem, key: server.keyPem, ca: server.caPem, requestCert: true, ...extra }
}

describe('proofs of a port that is protected otherwise than its path says', () => {
  const answer: RequestListener = (_request, response) => response.end('ok')
  const strict = () => createTlsServer(mutual({ rejectUnauthorized: true }), answer)
  const oneWay = () => createTlsServer({ cert: server.certPem, key: server.keyPem }, answer)

  it('pass where it is what it is called', async () => {
    expect(await failing(createHttpServer(answer), l7SidecarToSidecar, 'plain')).toEqual([])
    expect(await failing(oneWay(), l7SidecarToSidecar, 'tls')).toEqual([])
  })

  it('fail where it protects more, or less', async () => {
    const plain = ['plaintext answered at server-sidecar', 'TLS refused at server-sidecar']
    expect(await failing(strict(), l7SidecarToSidecar, 'plain')).toEqual(plain)
    expect(await failing(oneWay(), l7SidecarToSidecar, 'plain')).toEqual(plain)
    const tls = ['no certificate accepted at server-sidecar', 'plaintext refused at server-sidecar']
    expect(await failing(strict(), l7SidecarToSidecar, 'tls')).toEqual(tls.slice(0, 1))
    expect(await failing(createHttpServer(answer), l7SidecarToSidecar, 'tls')).toEqual(tls)
  }, 90_000)
})

describe('proofs of an encrypted port', () => {
  it('pass where exactly the expected identity is let in', async () => {
    const strict = createTlsServer(mutual(), (request, response) => {
      const socket = request.socket as unknown as { getPeerCertificate(): { subjectaltname?: string } }
      const known = socket.getPeerCertificate().subjectaltname === `URI:${client.spiffeId}`
      response.writeHead(known ? 200 : 403).end()
    })
    expect(await failing(strict, l7SidecarToSidecar)).toEqual([])
  })

  it('fail where any identity of the authority is let in', async () => {
    const careless = createTlsServer(mutual(), (_request, response) => response.end('hello'))
    expect(await failing(careless, l7SidecarToSidecar)).toEqual(['intruder refused at server-sidecar'])
  })

  it('fail where certificates are asked for and not judged', async () => {
    const blind = createTlsServer(mutual({ rejectUnauthorized: false }), (_request, response) =>
      response.end(),
    )
    expect(await failing(blind, l7SidecarToSidecar)).toEqual([
      'no certificate refused at server-sidecar',
      'intruder refused at server-sidecar',
      'client of another authority refused at server-sidecar',
    ])
  })

  it('fail where there is no TLS', async () => {
    const plain = createHttpServer((_request, response) => response.end('hello'))
    expect(await failing(plain, l7SidecarToSidecar)).toEqual([
      'plaintext refused at server-sidecar',
      'client accepted at server-sidecar',
    ])
  })

  it('judge HBONE by what CONNECT is answered, not by the handshake', async () => {
    const open = createSecureServer(mutual())
    open.on('stream', (stream, headers) => {
      expect(headers[':method']).toBe('CONNECT')
      stream.on('error', () => {})
      stream.respond({ ':status': 200 })
    })
    expect(await failing(open, l4Only)).toEqual(['intruder refused at server-tunnel'])
    const closed = createSecureServer(mutual())
    closed.on('stream', (stream) => {
      stream.on('error', () => {})
      stream.respond({ ':status': 401 }, { endStream: true })
    })
    expect(await failing(closed, l4Only)).toEqual(['client accepted at server-tunnel'])
  })
})
