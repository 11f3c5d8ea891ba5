/** What the kernel's own means need of this machine, found by trying them where nothing is lost. */
import type { Unmet } from '../../../harness/model.js'
import { messageOf } from '../../../harness/model/errors.js'
import { findProgram, run } from '../../../harness/process/exec.js'
import { policyLines, serviceLines } from './rules.js'

const example = {
  service: '10.1.96.1',
  server: { address: '10.1.12.2', port: 80 },
  clientAddress: '10.1.11.2',
}

/** The rules, loaded into a namespace that ends with the attempt. */
export async function unmetRules(): Promise<readonly Unmet[]> {
  if ((await findProgram('nft')) === undefined)
    return [{ need: 'nft, for rules of the kernel', found: 'no nft on the PATH', remedy: 'install nftables' }]
  const input = [...serviceLines(example), ...policyLines(example)].join('\n')
  const attempt = (flags: readonly string[]) =>
    run(['unshare', ...flags, '--net', 'nft', '-f', '-'], { input })
  return attempt([])
    .catch(() => attempt(['--user', '--map-root-user']))
    .then(
      () => [],
      (error: unknown) => [
        {
          need: 'nftables with NAT and connection tracking in the kernel',
          found: (error as { tail?: string }).tail?.trim() ?? messageOf(error),
          remedy: 'load the kernel modules nft_chain_nat and nf_conntrack, or leave the mesh nftables out',
        },
      ],
    )
}
