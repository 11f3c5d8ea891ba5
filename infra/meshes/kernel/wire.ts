/**
 * Whether what a client asks can be read between the nodes: a string that nobody else sends is looked for among the packets
 * that reach the server's node. Needs tcpdump; without it this is not looked at, which the report says.
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Endpoint, Fact, Hop, Path, ProofCheck, Scope } from '../../../harness/model.js'
import { securityOf } from '../../../harness/model/paths.js'
import { findProgram, start } from '../../../harness/process/exec.js'
import type { ArmNetwork, Pod } from './arm-network.js'

const deadlineMs = 20_000

export async function wireFact(): Promise<Fact> {
  return {
    name: 'packets between the nodes',
    value:
      (await findProgram('tcpdump')) === undefined
        ? 'not looked at: no tcpdump on the PATH'
        : 'looked at with tcpdump, for a string of the client’s in the clear',
  }
}

/** Whether the leg that reaches the server's node carries bytes as they are. */
export function isClear({ hops, legs }: Path): boolean {
  const first = hops.findIndex(({ node }: Hop) => node === 'server')
  return securityOf(legs[first < 0 ? hops.length : first] ?? 'plain') === 'plain'
}

/** Prints the status of one request, or why there was none. */
export const askCommand = (url: string) => [
  process.execPath,
  '-e',
  `fetch('${url}',{signal:AbortSignal.timeout(1500)}).then(r=>console.log('status',r.status),e=>console.log('failed',e.cause?.code??e.name))`,
]

export interface LookOptions {
  readonly network: ArmNetwork
  readonly scope: Pick<Scope, 'runId' | 'stateDir'>
  readonly client: Pod
  readonly endpoint: Endpoint
}

/** Whether what the client asked could be read there, or why nobody could look. */
type Seen = 'clear' | 'unread' | { readonly failed: string } | { readonly notLooked: string }

/** Asks once, and looks for it among the packets that reach the server's node. */
async function look({ network, scope, client, endpoint }: LookOptions): Promise<Seen> {
  const { server } = network.nodes
  const [marker, control] = [randomUUID(), randomUUID()]
  const file = join(scope.stateDir, `packets-${marker}`)
  // As the user that it was started as, who alone may write there.
  const argv = ['tcpdump', '-i', 'eth0', '-s', '0', '-U', '-w', file]
  const user = (await server.run(['id', '-un'])).trim()
  const dump = start({ argv: server.enter([...argv, '-Z', user]) }, { runId: scope.runId })
  const end = new AbortController()
  void dump.exited.then(() => end.abort())
  try {
    if (!(await holds(file, '', end.signal))) return { failed: `nothing: ${(await ended(dump)).trim()}` }
    await client.namespace.run(
      askCommand(`http://${endpoint.host}:${endpoint.port}/echo?size=1&marker=${marker}`),
    )
    // It follows the request on the same wire: what has been written by then has the request, too.
    const say = `const s=require('dgram').createSocket('udp4');s.send('${control}',9,'${network.nodeAddress('server')}',()=>s.close())`
    await network.nodes.client.run([process.execPath, '-e', say])
    if (!(await holds(file, control, end.signal)))
      // In a user namespace it may not become the user that it is already: then nobody looks.
      return end.signal.aborted ? { notLooked: (await dump.exited).tail } : { failed: 'nothing' }
    return (await readFile(file)).includes(marker) ? 'clear' : 'unread'
  } finally {
    dump.kill('SIGKILL')
    await dump.exited
  }
}

const hasDump = async () => (await findProgram('tcpdump')) !== undefined

/** Whether what is answered can be read on its way. Empty where there is no tcpdump. */
export async function proveWire({
  expected,
  ...options
}: LookOptions & { readonly expected: 'clear' | 'encrypted' }): Promise<readonly ProofCheck[]> {
  if (!(await hasDump())) return []
  const name = 'requests on the wire to the server’s node'
  const seen = await look(options)
  if (typeof seen === 'object' && 'notLooked' in seen) return [notLooked(name, seen.notLooked)]
  const actual = typeof seen === 'object' ? seen.failed : seen === 'clear' ? 'clear' : 'encrypted'
  return [{ name, ok: actual === expected, expected, actual }]
}

export interface AwayOptions extends LookOptions {
  /** Ends the hop that the kernel leads the client to, and brings it back; each resolves when that is done. */
  readonly change: (what: 'kill' | 'start') => Promise<void>
}

/**
 * Whether anything of a client can be read that sends while its hop is not there, as between its start and that of the hop: a
 * finding and no condition of the path. Empty where there is no tcpdump.
 */
export async function lookWhileAway({ change, ...options }: AwayOptions): Promise<readonly ProofCheck[]> {
  if (!(await hasDump())) return []
  const name = 'plaintext while the first hop is away'
  await change('kill')
  const seen = await look(options).finally(() => change('start'))
  if (typeof seen === 'object') return [notLooked(name, 'failed' in seen ? seen.failed : seen.notLooked)]
  const actual = seen === 'clear' ? 'clear' : 'none'
  return [{ name, ok: true, expected: 'whatever is found', actual }]
}

const notLooked = (name: string, said: string): ProofCheck => ({
  name,
  ok: true,
  expected: 'not looked at',
  actual: `not looked at: ${said.trim().split('\n').at(-1) ?? ''}`,
})

async function ended(dump: ReturnType<typeof start>): Promise<string> {
  dump.kill('SIGKILL')
  return (await dump.exited).tail
}

/** Waits for a file that has the text in it. */
async function holds(file: string, text: string, gone: AbortSignal): Promise<boolean> {
  for (const end = Date.now() + deadlineMs; Date.now() < end; await sleep(20)) {
    const bytes = await readFile(file).catch(() => Buffer.alloc(0))
    // The head of a capture is written once it has begun.
    if (bytes.length > 0 && bytes.includes(text)) return true
    if (gone.aborted) return false
  }
  return false
}
