/** What the kernel's own means need of this machine, found by trying them where nothing is lost. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Unmet } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { messageOf } from '../../../harness/model/errors.js'
import { findProgram, run } from '../../../harness/process/exec.js'
import { objectFor } from './ebpf-object.js'
import { policyLines, serviceLines } from './rules.js'

const example = {
  service: '10.1.96.1',
  server: { address: '10.1.12.2', port: 80 },
  clientAddress: '10.1.11.2',
}

/** Flags of unshare(1) for one who is not root. */
const asRootOfItsOwn = ['--user', '--map-root-user']

/** What the kernel says against it, when it does. */
const refusal = (error: unknown) => (error as { tail?: string }).tail?.trim() ?? messageOf(error)

/** What is said against a command in a namespace that ends with it, as root or as one who is not; undefined: nothing. */
export async function refusalInNamespace(
  argv: readonly string[],
  input?: string,
): Promise<string | undefined> {
  const attempt = (flags: readonly string[]) =>
    run(['unshare', ...flags, '--net', ...argv], defined({ input }))
  return attempt([])
    .catch(() => attempt(asRootOfItsOwn))
    .then(() => undefined, refusal)
}

/** The rules, loaded into a namespace that ends with the attempt. */
export async function unmetRules(): Promise<readonly Unmet[]> {
  if ((await findProgram('nft')) === undefined)
    return [{ need: 'nft, for rules of the kernel', found: 'no nft on the PATH', remedy: 'install nftables' }]
  const input = [...serviceLines(example), ...policyLines(example)].join('\n')
  const found = await refusalInNamespace(['nft', '-f', '-'], input)
  if (found === undefined) return []
  return [
    {
      need: 'nftables with NAT and connection tracking in the kernel',
      found,
      remedy: 'load the kernel modules nft_chain_nat and nf_conntrack, or leave the mesh nftables out',
    },
  ]
}

const ebpfPackages = { tc: 'iproute2, built with libbpf', bpftool: 'bpftool' } as const

/** The programs, loaded at the loopback of a namespace that ends with the attempt. */
export async function unmetEbpf(): Promise<readonly Unmet[]> {
  const missing: Unmet[] = []
  for (const name of ['tc', 'bpftool'] as const)
    if ((await findProgram(name)) === undefined)
      missing.push({
        need: `${name}, to ${name === 'tc' ? 'load' : 'read'} programs of the mesh ebpf`,
        found: `no ${name} on the PATH`,
        remedy: `install ${ebpfPackages[name]}, or leave the mesh ebpf out`,
      })
  if (missing.length > 0) return missing
  const folder = await mkdtemp(join(tmpdir(), 'meshbench-ebpf-'))
  try {
    const object = join(folder, 'l4-kernel.o')
    await writeFile(object, await objectFor(example))
    const load = `tc qdisc add dev lo clsact && tc filter add dev lo ingress bpf direct-action object-file '${object}' section classifier/service`
    await run(['unshare', '--net', 'sh', '-c', load])
    return []
  } catch (error) {
    return [
      {
        need: 'eBPF programs at the hooks of tc, for the mesh ebpf',
        found: refusal(error),
        remedy:
          'run as root (a user namespace may load none) on a kernel with CONFIG_NET_CLS_BPF, or leave the mesh ebpf out',
      },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
