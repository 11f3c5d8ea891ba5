/**
 * A cluster that answers from a transcript: commands with their output, as they would stand in a terminal. A command
 * that the transcript does not know fails the test.
 *
 *     $ kubectl get nodes -o json        answered once
 *     $* kubectl get pods -A *           answered any number of times; a star stands for any text
 *     ! 1                                exit code, when it is not 0
 *     output …
 */
import { Duplex } from 'node:stream'
import { CommandError } from '../../../harness/model/errors.js'
import type { Arm, Component, Deployed, Host } from '../../../harness/model.js'
import type { ArmShape, ClusterAccess, ClusterHost, ContainerSelector } from '../../../harness/model/cluster-access.js'
import { defined } from '../../../harness/model/defined.js'

interface Entry {
  readonly pattern: RegExp
  readonly repeat: boolean
  readonly code: number
  readonly output: string
  used: boolean
}

export function parseTranscript(text: string): Entry[] {
  const blocks = text.split(/^(?=\$\*? )/m).filter((block) => block.startsWith('$'))
  return blocks.map((block) => {
    const [command = '', ...lines] = block.replace(/\n$/, '').split('\n')
    const repeat = command.startsWith('$*')
    const literal = command.replace(/^\$\*? /, '')
    const code = /^! (\d+)$/.exec(lines[0] ?? '')?.[1]
    const output = lines.slice(code === undefined ? 0 : 1).join('\n')
    const pattern = new RegExp(`^${literal.split('*').map(escape).join('.*')}$`, 's')
    return { pattern, repeat, code: Number(code ?? 0), output, used: false }
  })
}

const escape = (text: string) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')

export interface TranscriptCluster extends ClusterAccess {
  /** Commands in the order in which they came, with their standard input. */
  readonly commands: { readonly command: string; readonly input?: string }[]
  readonly shapes: Map<string, ArmShape>
  readonly bound: Map<string, ContainerSelector>
  /** What happens next, in place of what is left of the transcript. */
  goOn(transcript: string): void
  /** Entries that no command used. */
  unused(): readonly string[]
}

export function transcriptCluster(transcript: string, overrides: Partial<ClusterAccess> = {}): TranscriptCluster {
  let entries = parseTranscript(transcript)
  const commands: TranscriptCluster['commands'] = []
  const shapes = new Map<string, ArmShape>()
  const bound = new Map<string, ContainerSelector>()
  const answer = async (argv: readonly string[], input?: string): Promise<string> => {
    const command = argv.join(' ')
    commands.push({ command, ...defined({ input }) })
    const entry = entries.find(({ pattern, repeat, used }) => (repeat || !used) && pattern.test(command))
    if (!entry) throw new Error(`the transcript has no: ${command}`)
    entry.used = true
    if (entry.code !== 0) {
      throw new CommandError(argv, { code: entry.code, signal: null, tail: entry.output })
    }
    return entry.output
  }
  const namespaceOf = (arm: Arm) => `mb-${arm.path}`
  return {
    isOwn: true,
    isKept: false,
    marks: { 'meshbench.run': 'r', 'meshbench.machine': 'm' },
    kubernetesVersion: '1.36.4',
    nodes: {
      'control-plane': 'meshbench-control-plane',
      client: 'meshbench-worker',
      server: 'meshbench-worker2',
      waypoint: 'meshbench-worker3',
    },
    apiServer: { host: 'meshbench-control-plane', port: 6443 },
    kubectl: (args, options) => answer(['kubectl', ...args], options?.input),
    helm: (args, options) => answer(['helm', ...args], options?.input),
    onNode: (node, argv) => answer(['node', node, ...argv]),
    shapeArm: (arm, shape) => void shapes.set(arm.id, shape),
    objectsOf: (arm) => ({
      namespace: namespaceOf(arm),
      service: { name: 'server', port: 8080 },
      clientSelector: 'app=client',
      serverSelector: 'app=server',
    }),
    ensureNamespace: async () => {},
    ensureClient: async () => {},
    runAsStranger: async () => 'status 403',
    bind: (component: Component, containers) => void bound.set(component.name, containers),
    ...overrides,
    commands,
    shapes,
    bound,
    goOn(text) {
      entries = parseTranscript(text)
    },
    unused: () => entries.filter(({ used, repeat }) => !used && !repeat).map(({ pattern }) => pattern.source),
  }
}

/** What the API server says to plaintext. */
const apiServerReply = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'

/**
 * A host over that cluster. `reply` is what an exchange from outside of the mesh gets back; the API server's own is another,
 * unless nothing gets out of there.
 */
export function transcriptHost(
  cluster: ClusterAccess,
  reply = '',
  { isOutsideCutOff = false } = {},
): ClusterHost {
  const unused = () => {
    throw new Error('not part of this test')
  }
  return {
    cluster,
    facts: [],
    startApplication: async (arm): Promise<Deployed> => ({
      component: { name: `${arm.id}/echo`, arm: arm.id, category: 'application', node: 'server' },
      endpoints: { http: { host: '10.96.0.10', port: 8080 } },
    }),
    deploy: unused,
    exec: unused,
    fetchAdmin: async () => 'meshbench_requests_total{code_class="2xx"} 7\n',
    connect: ({ port }) => answering(port === 443 && !isOutsideCutOff ? apiServerReply : reply),
    readUsage: async () => ({}),
    readHost: unused,
    health: () => undefined,
  } satisfies Host & { cluster: ClusterAccess }
}

/** A connection whose far end takes everything, answers once and closes. */
function answering(reply: string): Duplex {
  return new Duplex({
    read() {
      this.push(Buffer.from(reply))
      this.push(null)
    },
    write: (_chunk, _encoding, done) => done(),
  })
}
