/**
 * Tries what a mutual TLS port must refuse: plaintext, no certificate, another workload's identity, another authority's
 * certificate. The right identity is tried as well, since a port that answers nobody refuses everything. Of an arm whose
 * legs are protected otherwise it is tried that they are: what is called plain must not be encrypted.
 */
import { connect as connectHttp2 } from 'node:http2'
import type { Duplex } from 'node:stream'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { Deployed, Host, Identity, ProofCheck } from '../../../harness/model.js'
import { isConnect, securityOf } from '../../../harness/model/paths.js'
import { exchange } from './queries.js'
import type { HopSpec } from './hop-spec.js'

/** Credentials that nobody may be let in with. */
export interface Impostors {
  /** Signed by the run's authority, with an identity that no hop expects. */
  readonly intruder: Identity
  /** A SPIFFE id that is expected, signed by an authority that nobody trusts. */
  foreign(spiffeId: string): Promise<Identity>
}

/** Refusals come at once; a busy host may take its time over them. */
const probeTimeoutMs = 5_000
/** The first probe of a run may have to wait for the place that it is sent from: on a cluster, a pod. */
const answerTimeoutMs = 60_000

export async function proveEncryptedLegs(
  hops: readonly { readonly spec: HopSpec; readonly deployed: Deployed }[],
  host: Host,
  impostors: Impostors,
): Promise<readonly ProofCheck[]> {
  const checks = await Promise.all(
    hops.map(async ({ spec, deployed }) => {
      const endpoint = deployed.endpoints.downstream
      const { before, hop, downstreamLeg } = spec
      const security = securityOf(downstreamLeg)
      if (!before || !endpoint || (security === 'plain' && spec.arm.transport === undefined)) return []
      const request = probeRequest(spec.authority, spec.requestHeaders)
      const { caPem } = before
      const options = { caPem, hbone: isConnect(downstreamLeg), authority: spec.authority, request }
      const attempt = (credentials: Identity | undefined, timeoutMs = probeTimeoutMs) =>
        probeTls(host.connect(endpoint) as Duplex, { ...options, credentials, timeoutMs })
      if (security === 'plain') {
        const timeoutMs = answerTimeoutMs
        const clear = await probePlain(host.connect(endpoint) as Duplex, { ...options, timeoutMs })
        return [
          check(`plaintext answered at ${hop.name}`, 'answers', clear, true),
          check(`TLS refused at ${hop.name}`, 'refused', await attempt(before)),
        ]
      }
      const plainly = () => exchange(host, endpoint, request, probeTimeoutMs)
      if (security === 'tls')
        return [
          check(
            `no certificate accepted at ${hop.name}`,
            'answers',
            await attempt(undefined, answerTimeoutMs),
            true,
          ),
          refusesPlaintext(hop.name, await plainly()),
        ]
      // First what must be answered: silence is a refusal only on a way that is known to carry.
      const right = await attempt(before, answerTimeoutMs)
      const [plain, none, intruder, foreign] = await Promise.all([
        plainly(),
        attempt(undefined),
        attempt(impostors.intruder),
        attempt(await impostors.foreign(before.spiffeId)),
      ])
      return [
        refusesPlaintext(hop.name, plain),
        check(`${before.spiffeId} accepted at ${hop.name}`, 'answers', right, true),
        check(`no certificate refused at ${hop.name}`, 'refused', none),
        check(`${impostors.intruder.spiffeId} refused at ${hop.name}`, 'refused', intruder),
        check(`${before.spiffeId} of another authority refused at ${hop.name}`, 'refused', foreign),
      ]
    }),
  )
  return checks.flat()
}

function refusesPlaintext(hop: string, reply: Uint8Array): ProofCheck {
  const text = Buffer.from(reply).toString('latin1')
  return check(`plaintext refused at ${hop}`, 'no reply to HTTP without TLS', {
    ok: !text.startsWith('HTTP/') || isHttpRefusal(text),
    actual: text.startsWith('HTTP/') ? firstLine(text) : `${reply.length} bytes, not HTTP`,
  })
}

/** How a TLS port took an attempt. */
export interface ProbeResult {
  readonly accepted: boolean
  readonly actual: string
}

export interface ProbeOptions {
  readonly credentials: Identity | undefined
  readonly caPem: string
  /** Speak HTTP/2, as HBONE does, instead of HTTP/1.1. */
  readonly hbone: boolean
  readonly authority: string
  /** What is sent over HTTP/1.1. */
  readonly request: Buffer
  /** Silence for this long is no answer. */
  readonly timeoutMs?: number
}

/**
 * Opens TLS on a connection, sends a request and tells whether it was served. With TLS 1.3 a client's handshake is complete
 * before the server has judged its certificate, so a handshake proves nothing.
 */
async function probeTls(connection: Duplex, options: ProbeOptions): Promise<ProbeResult> {
  const { credentials, caPem, hbone } = options
  const socket = connectTls({
    socket: connection,
    ca: caPem,
    ...(credentials ? { cert: credentials.certPem, key: credentials.keyPem } : {}),
    minVersion: 'TLSv1.3',
    ALPNProtocols: [hbone ? 'h2' : 'http/1.1'],
    // The server's name is a SPIFFE id, which Node does not look at; this probe asks for the server's judgement alone.
    checkServerIdentity: () => undefined,
  })
  try {
    return await probePlain(socket, options)
  } finally {
    connection.destroy()
  }
}

/** The same without TLS. */
async function probePlain(
  connection: Duplex,
  { hbone, authority, request, timeoutMs = probeTimeoutMs }: Omit<ProbeOptions, 'credentials' | 'caPem'>,
): Promise<ProbeResult> {
  const timer = setTimeout(() => connection.destroy(new Error('no answer')), timeoutMs)
  try {
    return await (hbone ? probeHbone(connection, authority) : probeHttp(connection, request))
  } finally {
    clearTimeout(timer)
    connection.destroy()
  }
}

/** Calls back when bytes may be written: after the handshake, or at once where there is none. */
function whenOpen(connection: Duplex, then: () => void): void {
  if (connection instanceof TLSSocket) connection.once('secureConnect', then)
  else then()
}

/** HTTP/1.1: any reply but a refusal lets in. */
function probeHttp(socket: Duplex, request: Buffer): Promise<ProbeResult> {
  return new Promise((resolve) => {
    let ended = 'closed without a reply'
    whenOpen(socket, () => socket.write(request))
    socket.once('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      resolve({ accepted: !isHttpRefusal(text), actual: firstLine(text) })
    })
    socket.on('error', (error: Error) => {
      ended = reasonOf(error)
    })
    socket.once('close', () => resolve({ accepted: false, actual: ended }))
  })
}

/** HBONE: a CONNECT that is answered 200 lets in; a hop may also refuse with 401, 403 or 404. */
function probeHbone(socket: Duplex, authority: string): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const refuse = (actual: string) => resolve({ accepted: false, actual })
    socket.on('error', (error: Error) => refuse(reasonOf(error)))
    socket.once('close', () => refuse('closed without a reply'))
    whenOpen(socket, () => {
      const isTls = socket instanceof TLSSocket
      if (isTls && socket.alpnProtocol !== 'h2') return refuse('no HTTP/2')
      const session = connectHttp2(`${isTls ? 'https' : 'http'}://${authority}`, {
        createConnection: () => socket,
      })
      session.on('error', (error: Error) => refuse(reasonOf(error)))
      const stream = session.request({ ':method': 'CONNECT', ':authority': authority })
      stream.on('error', (error: Error) => refuse(reasonOf(error)))
      stream.once('response', (headers) => {
        const status = headers[':status'] ?? 0
        resolve({ accepted: status === 200, actual: `CONNECT answered ${status}` })
        session.destroy()
      })
    })
  })
}

/** A hop whose functions ask for fields would refuse a request without them, whoever it comes from. */
function probeRequest(authority: string, headers: HopSpec['requestHeaders'] = {}): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(
    `GET /echo?size=1 HTTP/1.1\r\nhost: ${authority}\r\nconnection: close\r\n${lines.join('')}\r\n`,
  )
}

/** nginx answers plaintext and bad certificates with 400, haproxy and nginx unwanted ones with 403. */
function isHttpRefusal(text: string): boolean {
  return /^HTTP\/1\.[01] 4\d\d /.test(text)
}

/** OpenSSL packs the one thing that matters, the alert, between addresses and source lines. */
function reasonOf({ message }: Error): string {
  return /SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message.trim()
}

function firstLine(text: string): string {
  return text.split('\r\n', 1)[0]?.slice(0, 80) ?? ''
}

function check(
  name: string,
  expected: string,
  result: ProbeResult | { readonly ok: boolean; readonly actual: string },
  wanted = false,
): ProofCheck {
  const ok = 'ok' in result ? result.ok : result.accepted === wanted
  return { name, ok, expected, actual: result.actual }
}
