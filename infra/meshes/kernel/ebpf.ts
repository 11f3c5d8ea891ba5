/**
 * L4 as eBPF has it: programs at the nodes' ends of the pods' links turn the service's address into the pod's and drop
 * strangers, without connection tracking and past the rules of nftables. They go with the namespaces.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod, Stack } from './arm-network.js'
import { objectFor } from './ebpf-object.js'
import { createKernelMesh } from './kernel-mesh.js'
import { unmetEbpf } from './needs.js'

type Hook = 'ingress' | 'egress'

export const ebpf = createKernelMesh({
  name: 'ebpf',
  summary:
    "the kernel's own L4: service addresses and policy in eBPF at the pods' links, no process on the way",
  facts: () =>
    Promise.resolve([
      {
        name: 'ebpf',
        value:
          'service at the client’s link, allow and deny at the server’s link (tc), no connection tracking',
      },
    ]),
  check: () => unmetEbpf(),
  async serve(network, rules, { scope }) {
    const { nodes } = network
    const object = join(scope.stateDir, `l4-kernel-${rules.clientAddress}.o`)
    await writeFile(object, await objectFor(rules))
    const attach = async ({ node, link }: Pod, hook: Hook, program: string) => {
      await nodes[node].run(filterCommand(link, hook, object, program))
      return counterOf(nodes[node], link, hook)
    }
    const introduce = async (client: Pod) => {
      await nodes[client.node].run(classifierCommand(client.link))
      await attach(client, 'egress', 'reply')
      return attach(client, 'ingress', 'service')
    }
    const server = await network.pod('server', 'server')
    await nodes.server.run(classifierCommand(server.link))
    const policy = await attach(server, 'egress', 'policy')
    const services = [await introduce(await network.pod('client', 'client'))]
    return {
      async read() {
        const led = await Promise.all(services.map((read) => read()))
        const [, allowed = 0, denied = 0] = await policy()
        return { translated: led.reduce((sum, [translated = 0]) => sum + translated, 0), allowed, denied }
      },
      introduce: async (other) => void services.push(await introduce(other)),
    }
  },
})

const classifierCommand = (link: string) => ['tc', 'qdisc', 'add', 'dev', link, 'clsact']

const filterCommand = (link: string, hook: Hook, object: string, program: string) => [
  ...['tc', 'filter', 'add', 'dev', link, hook],
  ...['bpf', 'direct-action', 'object-file', object, 'section', `classifier/${program}`],
]

/** Reads the counts of the program at a hook: its map of numbers, whose other one holds settings. */
async function counterOf(node: Stack, link: string, hook: Hook): Promise<() => Promise<readonly number[]>> {
  const json = async <T>(argv: readonly string[]) => JSON.parse(await node.run(argv)) as T
  const bpftool = <T>(...argv: readonly string[]) => json<T>(['bpftool', '--json', ...argv])
  const atHook = ['tc', '-json', 'filter', 'show', 'dev', link, hook]
  const filters = await json<readonly { options?: { prog?: { id: number } } }[]>(atHook)
  const program = filters.find(({ options }) => options?.prog)?.options?.prog
  if (!program) throw new Error(`no program at ${hook} of ${link}`)
  const ofProgram = ['prog', 'show', 'id', String(program.id)]
  const { map_ids: maps = [] } = await bpftool<{ map_ids?: readonly number[] }>(...ofProgram)
  const named = await Promise.all(
    maps.map((id) => bpftool<{ id: number; name: string }>('map', 'show', 'id', String(id))),
  )
  const counts = named.find(({ name }) => name === 'counts')
  if (!counts) return () => Promise.resolve([])
  return async () => {
    const dump = ['map', 'dump', 'id', String(counts.id)]
    const entries = await bpftool<readonly { value: readonly string[] }[]>(...dump)
    return entries.map(({ value }) => Number(Buffer.from(value.map(Number)).readBigUInt64LE()))
  }
}
