/** What namespaces need of this machine: asked by trying, since every kernel and every distribution allows something else. */
import type { Unmet } from '../../../harness/model.js'
import { messageOf } from '../../../harness/model/errors.js'
import { findProgram, run } from '../../../harness/process/exec.js'
import { wireQueue } from './layout.js'
import { findPrivilege, tryPrivilege } from './namespaces.js'
import type { NetnsSettings } from './settings.js'

const packages = { ip: 'iproute2', tc: 'iproute2', unshare: 'util-linux', nsenter: 'util-linux' } as const

export async function unmetNeeds(settings: NetnsSettings): Promise<readonly Unmet[]> {
  const queue = wireQueue(settings)
  const programs = ['ip', 'unshare', 'nsenter', ...(queue ? (['tc'] as const) : [])] as const
  const missing: Unmet[] = []
  for (const name of programs)
    if ((await findProgram(name)) === undefined)
      missing.push({
        need: `${name}, to make network namespaces`,
        found: `no ${name} on the PATH`,
        remedy: `install ${packages[name]}`,
      })
  if (missing.length > 0) return missing
  const privilege = await findPrivilege()
  if (privilege === undefined)
    return [
      {
        need: 'network namespaces, as root or through a user namespace',
        found: (await tryPrivilege('user-namespace')) ?? 'refused',
        remedy:
          'run as root, or allow user namespaces (sysctl user.max_user_namespaces; on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0)',
      },
    ]
  if (!queue) return []
  const user = privilege === 'own' ? [] : ['--user', '--map-root-user']
  const probe = `ip link add eth0 type veth peer name peer0 && tc ${queue.join(' ')}`
  return run(['unshare', ...user, '--net', 'sh', '-c', probe]).then(
    () => [],
    (error: unknown) => [
      {
        need: `a wire with ${queue.slice(5).join(' ')} (platformSettings.netns)`,
        found: `the kernel refuses it: ${(error as { tail?: string }).tail?.trim() ?? messageOf(error)}`,
        remedy: `load the kernel module sch_${queue[5]}, or leave delayMs and lossPercent out: rateMbit alone does without netem`,
      },
    ],
  )
}
