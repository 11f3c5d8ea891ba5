/** Questions that every mesh asks of its cluster: where pods are, what they count, whether a request gets through. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import type { ArmObjects, ClusterAccess } from '../../../harness/model/cluster-access.js'
import type { Endpoint, Host, NodeRole, ProofCheck } from '../../../harness/model.js'

interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
  readonly restartCount: number
}

export interface PodView {
  readonly name: string
  readonly nodeName: string
  readonly annotations: Readonly<Record<string, string>>
  /** Its addresses, of both families where it has both; none before it has any. */
  readonly addresses: readonly string[]
  readonly containers: readonly ContainerStatus[]
  /** Native sidecars are among them: init containers that stay. */
  readonly initContainers: readonly ContainerStatus[]
}

interface PodList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string
      readonly annotations?: Readonly<Record<string, string>>
      readonly deletionTimestamp?: string
    }
    readonly spec: { readonly nodeName?: string }
    readonly status: {
      readonly podIP?: string
      readonly podIPs?: readonly { readonly ip: string }[]
      readonly containerStatuses?: readonly ContainerStatus[]
      readonly initContainerStatuses?: readonly ContainerStatus[]
    }
  }[]
}

/** Pods that are not on their way out. `nodeName` keeps those of one node. */
export async function findPods(
  cluster: ClusterAccess,
  namespace: string,
  selector: string,
  nodeName?: string,
): Promise<readonly PodView[]> {
  const text = await cluster.kubectl(['get', 'pods', '-n', namespace, '-l', selector, '-o', 'json'])
  return (JSON.parse(text) as PodList).items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, spec, status }) => ({
      name: metadata.name,
      nodeName: spec.nodeName ?? '',
      annotations: metadata.annotations ?? {},
      addresses: (status.podIPs ?? (status.podIP === undefined ? [] : [{ ip: status.podIP }])).map(
        ({ ip }) => ip,
      ),
      containers: status.containerStatuses ?? [],
      initContainers: status.initContainerStatuses ?? [],
    }))
    .filter((pod) => nodeName === undefined || pod.nodeName === nodeName)
}

export interface PodAddress {
  readonly namespace: string
  readonly selector: string
  readonly nodeName?: string
}

/** The one pod that an address names; throws when there is none or more than one. */
export async function onePod(cluster: ClusterAccess, address: PodAddress): Promise<PodView> {
  const pods = await findPods(cluster, address.namespace, address.selector, address.nodeName)
  const [pod] = pods
  if (!pod || pods.length > 1) {
    const where = address.nodeName === undefined ? '' : ` on ${address.nodeName}`
    throw new Error(`${pods.length} pods ${address.selector} in ${address.namespace}${where}, not one`)
  }
  return pod
}

/**
 * GETs a path of a pod's port through the API server, whatever network the pod is on. Of several pods, as generators'
 * sidecars are, the pages of all: counters are sums over a page's series. Throws when there is none.
 */
export async function fetchFromPods(
  cluster: ClusterAccess,
  address: PodAddress & { readonly port: number; readonly path: string },
): Promise<string> {
  const { namespace, selector, nodeName, port, path } = address
  const pods = await findPods(cluster, namespace, selector, nodeName)
  if (pods.length === 0) throw new Error(`no pod ${selector} in ${namespace}`)
  const pages = await Promise.all(
    pods.map(({ name }) =>
      cluster.kubectl(['get', '--raw', `/api/v1/namespaces/${namespace}/pods/${name}:${port}/proxy${path}`]),
    ),
  )
  return pages.join('\n')
}

/** Where an arm's requests go, and what they call it. */
export type ServiceEndpoint = Endpoint & { readonly authority: string }

const serviceAuthority = ({ namespace, service }: ArmObjects) =>
  `${service.name}.${namespace}.svc.cluster.local:${service.port}`

/** The service's own address: a mesh that routes by service must be given the service, never a pod. */
export async function serviceEndpoint(cluster: ClusterAccess, objects: ArmObjects): Promise<ServiceEndpoint> {
  const { namespace, service } = objects
  const host = await clusterIp(cluster, service.name, namespace)
  return { host, port: service.port, authority: serviceAuthority(objects) }
}

async function clusterIp(cluster: ClusterAccess, service: string, namespace: string): Promise<string> {
  const get = ['get', 'service', service, '-n', namespace]
  return (await cluster.kubectl([...get, '-o', 'jsonpath={.spec.clusterIP}'])).trim()
}

/** Fields that a request must carry for an arm's functions to let it pass. */
export type RequestHeaders = Readonly<Record<string, string>>

/** Status of one GET that the arm's own client sends to its service, or to another authority, or why there was none. */
export async function requestAsClient(
  cluster: ClusterAccess,
  objects: ArmObjects,
  path: string,
  authority = serviceAuthority(objects),
  headers: RequestHeaders = {},
): Promise<{ readonly status?: number; readonly text: string }> {
  const { namespace, clientSelector } = objects
  // Of several generators any one will do.
  const [client] = await findPods(cluster, namespace, clientSelector)
  if (!client) throw new Error(`no pod ${clientSelector} in ${namespace}`)
  const argv = requestCommand(authority, path, headers)
  return answerOf(() => cluster.kubectl(['exec', '-n', namespace, client.name, '--', ...argv]))
}

/** What a command says last may be lost with it, where it ends before the way to it is torn down. */
const tries = 3

/** Asks again where nothing was said: that is neither an answer nor a refusal. */
async function answerOf(ask: () => Promise<string>): Promise<ReturnType<typeof readAnswer>> {
  for (let left = tries; ; left--) {
    const answer = readAnswer(await ask())
    if (answer.text !== '' || left === 1) return answer
  }
}

/** A command that GETs a path and says what came of it. The images have node and no shell. */
function requestCommand(authority: string, path: string, headers: RequestHeaders): readonly string[] {
  const url = `http://${authority}${path}`
  const script = `fetch(${JSON.stringify(url)},{headers:${JSON.stringify(headers)},signal:AbortSignal.timeout(5000)}).then(r=>console.log('status',r.status),e=>console.log('failed',e.cause?.code??e.message))`
  return ['node', '-e', script]
}

function readAnswer(output: string): { readonly status?: number; readonly text: string } {
  const text = output.trim()
  const status = /^status (\d{3})$/m.exec(text)?.[1]
  return { ...(status === undefined ? {} : { status: Number(status) }), text }
}

/** Whether a request ended without an answer after its server's name was found. */
export function isCutOff(text: string): boolean {
  return /^failed (?!ENOTFOUND|EAI_AGAIN)/m.test(text)
}

/**
 * Another identity of the same mesh must get no answer but a refusal. Means something only where the client itself is
 * answered; a name that is not found or a pod that does not run refuses nothing.
 */
export async function proveStrangerRefused(
  runAsStranger: (argv: readonly string[]) => Promise<string>,
  objects: ArmObjects,
  headers: RequestHeaders = {},
): Promise<ProofCheck> {
  const argv = requestCommand(serviceAuthority(objects), '/echo?size=1', headers)
  const { status, text } = await answerOf(() => runAsStranger(argv))
  return {
    name: 'another identity inside the mesh is refused',
    ok: status === 403 || (status === undefined && isCutOff(text)),
    expected: 'status 403, or a connection that is cut off',
    actual: text === '' ? 'nothing was said' : text,
  }
}

/** What a mesh learns of a new pod, it learns within seconds of its being ready. */
export const patience = { tries: 10, delayMs: 2_000 }

/** The client reaches its server with 200, at one of so many tries: nothing later means anything if it does not. */
export async function proveReachable(
  cluster: ClusterAccess,
  objects: ArmObjects,
  authority?: string,
  { headers = {}, tries = 1, wait = sleep }: FirstRequest = {},
): Promise<ProofCheck> {
  for (let left = tries - 1; ; left--) {
    const { status, text } = await requestAsClient(cluster, objects, '/echo?size=1', authority, headers)
    if (status === 200 || left <= 0)
      return { name: 'request through the mesh', ok: status === 200, expected: 'status 200', actual: text }
    await wait(patience.delayMs)
  }
}

interface FirstRequest {
  readonly headers?: RequestHeaders | undefined
  readonly tries?: number
  /** Replaced in tests. */
  readonly wait?: (ms: number) => Promise<unknown>
}

/** Client and server are on the nodes that they are meant to be on. */
export async function provePlacement(
  cluster: ClusterAccess,
  objects: ArmObjects,
): Promise<readonly ProofCheck[]> {
  const { namespace, clientSelector, serverSelector } = objects
  return Promise.all([
    proveOnNode(cluster, 'client', { namespace, selector: clientSelector }),
    proveOnNode(cluster, 'server', { namespace, selector: serverSelector }),
  ])
}

export async function proveOnNode(
  cluster: ClusterAccess,
  role: NodeRole,
  { namespace, selector }: PodAddress,
  name: string = role,
): Promise<ProofCheck> {
  const pods = await findPods(cluster, namespace, selector)
  const nodes = [...new Set(pods.map(({ nodeName }) => nodeName))]
  return {
    name: `${name} is on its node`,
    ok: nodes.length === 1 && nodes[0] === cluster.nodes[role],
    expected: cluster.nodes[role],
    actual: nodes.join(', ') || 'no pod',
  }
}

/** Sends bytes to a port, for proofs of what it refuses, and collects what comes back until the peer closes, resets, or `timeoutMs` passes. Never rejects. */
export function exchange(
  host: Pick<Host, 'connect'>,
  endpoint: Endpoint,
  bytes: Uint8Array,
  timeoutMs: number,
): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = host.connect(endpoint) as Duplex
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(chunks))
    })
    socket.write(bytes)
  })
}

/** Refusals come at once; a busy host may take its time over them. */
const probeTimeoutMs = 5_000
/** The first request has to wait for the pod that it is sent from. */
const answerTimeoutMs = 60_000

/**
 * A plaintext request from outside the mesh must get no HTTP answer but a refusal. Silence is a refusal only where the same
 * place has just been answered: by the API server, which answers plaintext with a 400, and which no mesh carries.
 */
export async function provePlaintextRefused(
  cluster: ClusterAccess,
  host: Host,
  endpoint: Endpoint & { readonly authority: string },
  headers: RequestHeaders = {},
): Promise<ProofCheck> {
  const fields = Object.entries({ host: endpoint.authority, connection: 'close', ...headers })
  const lines = ['GET /echo?size=1 HTTP/1.1', ...fields.map(([field, value]) => `${field}: ${value}`)]
  const request = `${lines.join('\r\n')}\r\n\r\n`
  const ask = async (where: Endpoint, timeoutMs: number) =>
    (await exchange(host, where, Buffer.from(request), timeoutMs)).toString('latin1')
  const name = 'plaintext from outside the mesh is refused'
  const expected = 'no reply, or a refusal'
  const apiServer = { host: await clusterIp(cluster, 'kubernetes', 'default'), port: 443 }
  if ((await ask(apiServer, answerTimeoutMs)) === '')
    return { name, ok: false, expected, actual: 'not tried: from there not even the API server is reached' }
  const reply = await ask(endpoint, probeTimeoutMs)
  return {
    name,
    ok: !/^HTTP\/1\.[01] [23]\d\d/.test(reply),
    expected,
    actual: reply === '' ? 'no reply' : (reply.split('\r\n')[0] ?? ''),
  }
}

/** A counter rose by at least what one request must leave behind. `how` says what only counts, for example `with mutual TLS`. */
export function proveMoved(
  name: string,
  before: number | undefined,
  after: number | undefined,
  how?: string,
): ProofCheck {
  const moved = (after ?? 0) - (before ?? 0)
  const expected = how === undefined ? 'at least 1 more' : `at least 1 more, ${how}`
  return { name, ok: moved >= 1, expected, actual: `${moved} more` }
}
