import { describe, expect, it } from 'vitest'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { paths } from '../../../scenarios/paths/index.js'
import { nginx, nginxCounters, renderNginx } from './nginx.js'
import { hopSpecs, testPlacement } from '../hops/testing.js'
import { testRequest } from '../../../harness/testing/request.js'

const { 'l7-per-node': l7PerNode, 'l7-sidecar-to-sidecar': l7SidecarToSidecar } = paths

/** What is pinned is the certificate; its key and its authority play no part. */
const certPem = readFileSync(new URL('testdata/client.crt', import.meta.url), 'utf8')
const client = {
  spiffeId: 'spiffe://cluster.local/ns/bench/sa/client',
  certPem,
  keyPem: '',
  caPem: certPem,
}
const fingerprint = new X509Certificate(client.certPem).fingerprint.replaceAll(':', '').toLowerCase()
const specs = [...hopSpecs('nginx', l7PerNode), ...hopSpecs('nginx', l7SidecarToSidecar)].map((spec) =>
  spec.before ? { ...spec, before: client } : spec,
)

const page = (accepts: number, requests: number) =>
  `Active connections: 1 \nserver accepts handled requests\n ${accepts} ${accepts} ${requests} \nReading: 0 Writing: 1 Waiting: 0 \n`

describe('nginx', () => {
  /** Regenerate with `npx vitest run infra/meshes/nginx -u`, and read what changed. */
  it.each(specs)('is configured as reviewed: $arm.path/$hop.name', async (spec) => {
    const text = renderNginx(spec, testPlacement()).replaceAll(fingerprint, '<fingerprint of the client>')
    await expect(text).toMatchFileSnapshot(`testdata/${spec.arm.path}.${spec.hop.name}.conf`)
  })

  it('pins the one client that may come in', () => {
    const inbound = specs.find(({ hop }) => hop.role === 'sidecar-inbound')
    if (!inbound) throw new Error('paths have changed')
    expect(renderNginx(inbound, testPlacement())).toContain(`${fingerprint} 1;`)
  })

  it('does not count looks at its statistics', () => {
    const first = nginxCounters(page(3, 3), 0)
    const second = nginxCounters(page(12, 2004), 1)
    expect((second.requests ?? 0) - (first.requests ?? 0)).toBe(2000)
    expect((second.downstreamConnections ?? 0) - (first.downstreamConnections ?? 0)).toBe(8)
  })

  it('is not read from an error page', () => {
    expect(() => nginxCounters('<html>404</html>', 0)).toThrow('stub_status')
  })

  it('is left out of loads that it cannot carry', async () => {
    const experiments = { latency: { protocol: 'grpc' }, connect: { protocol: 'http1' }, capacity: {} }
    const request = testRequest({ config: { experiments } })
    expect(
      (await nginx.check(request, { offers: [] })).filter(({ need }) => need.includes('protocol')),
    ).toEqual([
      {
        need: 'nginx for experiments.latency.protocol: grpc',
        found: 'nginx carries http1 alone between hops',
        remedy: 'leave its arms out, or measure http1',
      },
    ])
  })
})
