/** An HBONE server and client in one process, with certificates of a fresh authority: what the HBONE tests start from. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { ByteStream } from '../net/byte-stream.js'
import { type HboneLimits, hboneLimitsSchema, poolSchema } from '../process/config.js'
import { HbonePool } from './client.js'
import { HboneServer, type HboneStreamRequest } from './server.js'
import { createHopMetrics } from '../process/hop-metrics.js'
import { type IdentityStore, createIdentityStore, tlsSettings } from '../tls/identities.js'
import type { ListenerAddress } from '../net/address.js'
import { type Registry, createRegistry } from '../process/metrics.js'
import { flag, frameType } from '../h2/frames.js'
import { type HeaderField, encodeHeaders } from '../h2/hpack.js'
import { type RawClient, frame, speakFrames } from '../h2/testkit.js'
import {
  type WorkloadFiles,
  type Workspace,
  createTestAuthority,
  createWorkspace,
  spiffe,
  trustDomain,
  writeWorkload,
} from '../testing.js'

export interface HboneFixture {
  readonly workspace: Workspace
  readonly authority: Awaited<ReturnType<typeof createTestAuthority>>
  readonly client: WorkloadFiles
  readonly server: WorkloadFiles
  identities(workloads: readonly WorkloadFiles[]): IdentityStore
  /** PEM texts of a workload, for foreign peers. */
  pem(workload: WorkloadFiles): { cert: string; key: string; ca: string }
  startServer(
    onStream: (request: HboneStreamRequest) => void,
    options?: { readonly limits?: Partial<HboneLimits>; readonly workload?: WorkloadFiles },
  ): Promise<StartedServer>
  createPool(options?: {
    readonly pool?: Record<string, unknown>
    readonly limits?: Partial<HboneLimits>
    readonly identities?: IdentityStore
  }): { readonly pool: HbonePool; readonly registry: Registry }
  /** Closes servers and pools and removes the files. */
  close(): void
}

export interface StartedServer {
  readonly address: ListenerAddress
  readonly server: HboneServer
  readonly registry: Registry
  readonly identities: IdentityStore
}

export async function createHboneFixture(): Promise<HboneFixture> {
  const workspace = createWorkspace()
  const authority = await createTestAuthority()
  const client = await writeWorkload(workspace, authority, 'client')
  const server = await writeWorkload(workspace, authority, 'server')
  const cleanup: (() => void)[] = []
  const identities = (workloads: readonly WorkloadFiles[]): IdentityStore =>
    createIdentityStore({ trustDomain, workloads, baseDir: workspace.dir })
  const read = (file: string): string => readFileSync(join(workspace.dir, file), 'utf8')
  return {
    workspace,
    authority,
    client,
    server,
    identities,
    pem: ({ certFile, keyFile, caFile }) => ({ cert: read(certFile), key: read(keyFile), ca: read(caFile) }),
    async startServer(onStream, { limits = {}, workload = server } = {}) {
      const registry = createRegistry()
      const store = identities([workload])
      const started = new HboneServer({
        identities: store,
        metrics: createHopMetrics(registry),
        trustDomain,
        limits: { ...hboneLimitsSchema.parse({}), ...limits },
        workload: workload.spiffeId,
        onStream,
      })
      cleanup.push(() => {
        started.close()
      })
      return {
        address: await started.listen({ name: 'hbone', host: '127.0.0.1', port: 0 }),
        server: started,
        registry,
        identities: store,
      }
    },
    createPool(options = {}) {
      const registry = createRegistry()
      const pool = new HbonePool({
        identities: options.identities ?? identities([client]),
        metrics: createHopMetrics(registry),
        trustDomain,
        pool: poolSchema.parse(options.pool ?? {}),
        limits: { ...hboneLimitsSchema.parse({}), ...options.limits },
      })
      cleanup.push(() => {
        pool.close()
      })
      return { pool, registry }
    },
    close() {
      for (const close of cleanup) close()
      workspace.remove()
    },
  }
}

export const authorityName = 'server.bench:8080'

/** A destination that our test servers stand for. */
export const destination = (via: ListenerAddress, expect: readonly string[] = [spiffe('server')]) => ({
  authority: authorityName,
  via,
  expect,
})

/** Everything until the end of the stream. Rejects when it is cut. */
export async function readAll(stream: ByteStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk) => {
      chunks.push(Buffer.from(chunk))
    })
    stream.on('end', () => {
      resolve(Buffer.concat(chunks))
    })
    stream.on('error', reject)
    stream.on('close', () => {
      reject(new Error('closed before its end'))
    })
  })
}

/** Writes what comes in back, with back-pressure and half-close. */
export function echo(stream: ByteStream): void {
  stream.on('data', (chunk) => {
    if (!stream.write(chunk)) stream.pause()
  })
  stream.on('drain', () => {
    stream.resume()
  })
  stream.on('end', () => {
    stream.end()
  })
  stream.on('error', () => {})
}

/** Sum of a metric's children whose labels contain all of `labels`. */
export function metricOf(registry: Registry, name: string, ...labels: string[]): number {
  return registry
    .render()
    .split('\n')
    .filter(
      (line) =>
        line.startsWith(name) && !line.startsWith('#') && labels.every((label) => line.includes(label)),
    )
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

/** Connects with the fixture's client certificate. `preface` off: send your own first bytes. */
export async function connectRaw(
  fixture: HboneFixture,
  address: ListenerAddress,
  preface = true,
): Promise<RawClient> {
  const socket = connect({
    ...address,
    ...fixture.pem(fixture.client),
    ...tlsSettings,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
  })
  await once(socket, 'secureConnect')
  return speakFrames(socket, preface)
}

/** A raw HTTP/2 client before our HBONE server: what the tests of the protocol's rules start from. */
export interface ProtocolFixture {
  readonly hbone: HboneFixture
  /** What the server does with a stream; `connect` lets it echo. */
  onStream: (request: HboneStreamRequest) => void
  /** `preface` off: send your own first bytes. */
  connect(preface?: boolean): Promise<RawClient>
  close(): void
}

export async function createProtocolFixture(): Promise<ProtocolFixture> {
  const hbone = await createHboneFixture()
  const { address } = await hbone.startServer((request) => {
    fixture.onStream(request)
  })
  const fixture: ProtocolFixture = {
    hbone,
    onStream: () => {},
    connect(preface = true) {
      fixture.onStream = (request) => {
        echo(request.accept())
      }
      return connectRaw(hbone, address, preface)
    },
    close() {
      hbone.close()
    },
  }
  return fixture
}

/** The header block of a CONNECT to the server that tests ask for. */
export const connectBlock = (...extra: HeaderField[]): Buffer =>
  encodeHeaders([[':method', 'CONNECT'], [':authority', authorityName], ...extra], false)

/** The HEADERS frame that opens a stream. */
export const open = (id = 1, flags = 0): Buffer =>
  frame(frameType.headers, flag.endHeaders | flags, id, connectBlock())
