import { describe, expect, it } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { haproxyCounters, renderHaproxy } from './haproxy.js'
import { hopSpecs, testPlacement } from '../hops/testing.js'

const { 'l7-per-node': l7PerNode, 'l7-sidecar-to-sidecar': l7SidecarToSidecar } = paths

const specs = [...hopSpecs('haproxy', l7PerNode), ...hopSpecs('haproxy', l7SidecarToSidecar)]
const [nodeProxy, clientSidecar, serverSidecar] = specs
if (!nodeProxy || !clientSidecar || !serverSidecar) throw new Error('paths have changed')

/** As haproxy 2.6 answers, cut to the columns that are read. */
const statistics = `# pxname,svname,bin,bout,conn_tot,req_tot,connect,ssl_sess,
downstream,FRONTEND,254000,2290000,8,2000,,8,
service,server,254000,2290000,,,7,8,
service,BACKEND,254000,2290000,,2000,7,8,
admin,FRONTEND,300,9000,2,2,,0,
`

describe('haproxy', () => {
  /** Regenerate with `npx vitest run infra/meshes/haproxy -u`, and read what changed. */
  it.each(specs)('is configured as reviewed: $arm.path/$hop.name', async (spec) => {
    await expect(renderHaproxy(spec, testPlacement())).toMatchFileSnapshot(
      `testdata/${spec.arm.path}.${spec.hop.name}.cfg`,
    )
  })

  it('lets in one SPIFFE id and none that begins with it', () => {
    const pattern = /-m sub -i ([0-9a-f]+)/.exec(renderHaproxy(serverSidecar, testPlacement()))?.[1] ?? ''
    const der = (id: string) =>
      Buffer.concat([Buffer.from([0x86, id.length]), Buffer.from(id)]).toString('hex')
    expect(der('spiffe://cluster.local/ns/bench/sa/client')).toContain(pattern)
    expect(der('spiffe://cluster.local/ns/bench/sa/client-2')).not.toContain(pattern)
    expect(der('spiffe://cluster.local/ns/bench/sa/intruder')).not.toContain(pattern)
  })

  it('tells what a hop carried', () => {
    expect(haproxyCounters(statistics, serverSidecar)).toEqual({
      requests: 2000,
      downstreamConnections: 8,
      upstreamConnections: 7,
      hboneStreams: 0,
      tlsHandshakesServer: 8,
      tlsHandshakesClient: 0,
      receivedBytes: 254000,
      sentBytes: 2290000,
      peers: ['spiffe://cluster.local/ns/bench/sa/client'],
    })
    expect(haproxyCounters(statistics, clientSidecar)).toMatchObject({ tlsHandshakesClient: 8 })
    expect(haproxyCounters(statistics, nodeProxy)).not.toHaveProperty('peers')
  })

  it('is not read from an error page, nor from statistics without a column', () => {
    expect(() => haproxyCounters('<html>', nodeProxy)).toThrow("not haproxy's statistics")
    expect(() => haproxyCounters(statistics.replace('req_tot', 'other'), nodeProxy)).toThrow('no req_tot')
  })
})
