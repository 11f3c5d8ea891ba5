/**
 * Says whether this host's kernel can do what a mode of Cilium needs, before a cluster is created: nodes of kind share
 * the host's kernel, and the userspace fallback for WireGuard was removed in Cilium 1.17.
 */
import { readFile } from 'node:fs/promises'
import { release } from 'node:os'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { run } from '../../../harness/process/exec.js'
import type { Unmet } from '../../../harness/model.js'

/** What the probe reads; replaced in tests. */
export interface KernelSource {
  readonly platform: string
  readonly release: string
  /** Contents of a file, or undefined when it cannot be read. */
  read(path: string): Promise<Buffer | undefined>
  /** Exit code and standard error of a command. */
  run(argv: readonly string[]): Promise<{ readonly code: number | null; readonly stderr: string }>
}

export const hostKernel: KernelSource = {
  platform: process.platform,
  release: release(),
  read: (path) =>
    readFile(path).then(
      (content) => content,
      () => undefined,
    ),
  run: (argv) =>
    run(argv, { allowFailure: true, timeoutMs: 10_000 }).then(
      ({ code, stderr }) => ({ code, stderr }),
      (error: unknown) => ({ code: 127, stderr: String(error) }),
    ),
}

/** Cilium 1.20's lowest kernel. https://docs.cilium.io/en/stable/operations/system_requirements/ */
const minKernel: readonly [number, number] = [5, 10]

/** Unmet when the kernel is older than Cilium's lowest. Elsewhere than on Linux the containers' kernel is not this one. */
export function checkKernelVersion({ platform, release: found }: KernelSource): readonly Unmet[] {
  const match = /^(\d+)\.(\d+)/.exec(found)
  if (platform !== 'linux' || !match) return []
  const [major, minor] = [Number(match[1]), Number(match[2])]
  if (major > minKernel[0] || (major === minKernel[0] && minor >= minKernel[1])) return []
  return [
    {
      need: `a Linux kernel of ${minKernel.join('.')} or newer for Cilium`,
      found,
      remedy: 'choose another mesh, or a host with a newer kernel',
    },
  ]
}

/** Unmet when the kernel cannot do WireGuard, with the reason; empty when it can, or when only a run can tell. */
export async function checkWireguard(kernel: KernelSource): Promise<readonly Unmet[]> {
  if (kernel.platform !== 'linux') return []
  const refuse = (found: string): readonly Unmet[] => [
    {
      need: 'a kernel with WireGuard for cilium-wireguard',
      found,
      remedy: 'choose --mesh cilium (without encryption), or a host whose kernel has CONFIG_WIREGUARD',
    },
  ]
  const setting = await wireguardSetting(kernel)
  if (setting === 'y') return []
  if (setting === 'm') {
    if (await hasModule(kernel)) return []
    return refuse(`CONFIG_WIREGUARD=m, but no module for ${kernel.release} in /lib/modules`)
  }
  // The surest answer: let the kernel make one, in a namespace that goes with the command and has no other of that name. It
  // needs root, so a refusal for want of it says nothing.
  const probe = ['unshare', '--net', 'ip', 'link', 'add', 'probe', 'type', 'wireguard']
  const { code, stderr } = await kernel.run(probe)
  if (code === 0) return []
  if (setting === 'n') return refuse(`kernel ${kernel.release} was built without CONFIG_WIREGUARD`)
  if (/not supported|Unknown device type/i.test(stderr)) {
    return refuse(`kernel ${kernel.release} makes no WireGuard interface: ${stderr.trim()}`)
  }
  return []
}

/** `y` built in, `m` a module, `n` left out, undefined when the kernel's config cannot be read. */
async function wireguardSetting(kernel: KernelSource): Promise<'y' | 'm' | 'n' | undefined> {
  const compressed = await kernel.read('/proc/config.gz')
  const config = compressed
    ? await promisify(gunzip)(compressed)
    : await kernel.read(`/boot/config-${kernel.release}`)
  if (!config) return undefined
  const value = /^CONFIG_WIREGUARD=([ym])$/m.exec(config.toString())?.[1]
  return value === 'y' || value === 'm' ? value : 'n'
}

async function hasModule(kernel: KernelSource): Promise<boolean> {
  const loaded = await kernel.read('/proc/modules')
  if (/^wireguard /m.test(loaded?.toString() ?? '')) return true
  const listed = await kernel.read(`/lib/modules/${kernel.release}/modules.dep`)
  return /\/wireguard\.ko[^:]*:/.test(listed?.toString() ?? '')
}
