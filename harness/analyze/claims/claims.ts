/** What a run says about the claims of the talk behind this project: supported, refuted or inconclusive on this host, with the figures. */
import { experimentNamed } from '../../../scenarios/registry.js'
import type { ClaimAnalysis, ClaimId } from '../../model.js'
import { holm } from '../../stats/families.js'
import type { Settings } from '../../stats/paired.js'
import { fewestFirm } from '../estimates.js'
import type { CellGroup, Run } from '../readings.js'
import { judgeC11, judgeC5, judgeC6, jvmFlags } from './acting.js'
import type { Rule } from './finding.js'
import { judgeC12, judgeC4 } from './growth.js'
import { judgeC1, judgeC2, judgeC3 } from './hops.js'
import { judgeC10 } from './kernel.js'
import { judgeC7, judgeC9 } from './starting.js'
import { judgeC8 } from './tunnel.js'

interface Claim {
  readonly claim: string
  /** What would have to be measured, where a run has no data on it. */
  readonly needs: string
  /** Flags of a run that decides it. */
  readonly flags: string
  readonly judge: Rule
}

export const claims: Readonly<Record<ClaimId, Claim>> = {
  C1: {
    claim:
      'Two L7 hops (sidecar to sidecar) cost more than L4-L7-L4 (tunnel, waypoint, tunnel), although the second has an extra hop.',
    needs: 'measure l4-l7-l4 and l7-sidecar-to-sidecar on one mesh, with the latency experiment',
    flags: '--experiment latency --arm reference/l4-l7-l4 reference/l7-sidecar-to-sidecar',
    judge: judgeC1,
  },
  C2: {
    claim:
      'Traffic that needs only L4 (mutual TLS, identity, connection metrics) should not pay for L7: L4-only is much cheaper than either.',
    needs: 'measure l4-only, l4-l7-l4 and l7-sidecar-to-sidecar on one mesh, with the latency experiment',
    flags: '--experiment latency --arm reference/l4-only reference/l4-l7-l4 reference/l7-sidecar-to-sidecar',
    judge: judgeC2,
  },
  C3: {
    claim: 'L7 processing is the expensive part; moving bytes at L4 is cheap.',
    needs:
      'measure l4-only and either l7-per-node or l7-sidecar-to-sidecar on one mesh, with the latency experiment',
    flags: '--experiment latency --arm reference/l4-only reference/l7-per-node',
    judge: judgeC3,
  },
  C4: {
    claim:
      'With sidecars, mesh memory and CPU grow linearly with application replicas; a sidecarless mesh grows with nodes, and its L7 part scales on its own.',
    needs:
      'measure l7-sidecar-to-sidecar and l4-l7-l4 or l7-per-node on one mesh, with the footprint experiment; scale-out measures its second half',
    flags: '--experiment footprint scale-out --arm reference/l7-sidecar-to-sidecar reference/l4-l7-l4',
    judge: judgeC4,
  },
  C5: {
    claim:
      'A per-node, shared L7 proxy isolates tenants badly; sidecars and per-tenant waypoints isolate well.',
    needs: 'measure l7-per-node with the isolation experiment',
    flags: '--experiment isolation --arm reference/l7-per-node',
    judge: judgeC5,
  },
  C6: {
    claim:
      'A fault in a node-level component hurts every workload on the node; a fault in a sidecar hurts one pod.',
    needs: 'measure l7-per-node and l7-sidecar-to-sidecar on one mesh, with the blast-radius experiment',
    flags: '--experiment blast-radius --arm reference/l7-per-node reference/l7-sidecar-to-sidecar',
    judge: judgeC6,
  },
  C7: {
    claim:
      'Sidecars share the application’s lifecycle, which brings start-up races; node-level components avoid them.',
    needs:
      'measure l7-sidecar-to-sidecar and l4-only, l4-l7-l4 or l7-per-node on one mesh, with the startup experiment',
    flags: '--experiment startup --arm reference/l7-sidecar-to-sidecar reference/l4-only',
    judge: judgeC7,
  },
  C8: {
    claim:
      'An HBONE tunnel multiplexes: ten connections between the same pair of workloads need one mutual TLS connection, not ten.',
    needs: 'run the connect experiment on l4-only: it counts handshakes per connection',
    flags: '--experiment connect --arm reference/l4-only',
    judge: judgeC8,
  },
  C9: {
    claim:
      'Cilium’s mutual authentication shakes hands once, out of band, between agents; the first packet is dropped and the payload is then sent without TLS.',
    needs: 'run Cilium with mutual authentication on a cluster, with the first-packet experiment',
    flags: '--platform kind --experiment first-packet --arm cilium/l4-kernel-mutual-auth',
    judge: judgeC9,
  },
  C10: {
    claim:
      'eBPF keeps L3 and L4 in the kernel and bypasses much of iptables; it cannot do L7, which goes to Envoy in user space.',
    needs:
      'measure ebpf/l4-kernel, nftables/l4-kernel and an l7-per-node in one run on netns, with the latency experiment',
    flags:
      '--platform netns --experiment latency --arm ebpf/l4-kernel nftables/l4-kernel reference/l7-per-node',
    judge: judgeC10,
  },
  C11: {
    claim: 'A JVM-based per-node proxy has a high tail latency and is too large for a sidecar.',
    needs:
      'measure the l7-per-node of a real JVM, which the mesh finagle is, and an l7-sidecar-to-sidecar in one run, with the pauses experiment and environments that come up several times',
    flags: jvmFlags,
    judge: judgeC11,
  },
  C12: {
    claim: 'A sidecarless mesh needs far fewer resources overall.',
    needs:
      'measure l7-sidecar-to-sidecar and l4-l7-l4 or l7-per-node on one mesh, with the footprint experiment and environments that come up several times',
    flags: `--experiment footprint --blocks ${fewestFirm} --arm reference/l7-sidecar-to-sidecar reference/l4-l7-l4`,
    judge: judgeC12,
  },
}

export const claimIds = Object.keys(claims) as ClaimId[]

export function claimsOf(run: Run, groups: readonly CellGroup[], settings: Settings): ClaimAnalysis[] {
  const found = claimIds.map((id) => {
    const measured = groups.filter(({ experiment }) => experimentNamed(experiment)?.claims?.includes(id))
    return claims[id].judge(run, measured, settings)
  })
  // One family: the tests that decide the claims of a run.
  const adjusted = holm(found.flatMap((finding) => finding?.pValues ?? []))
  let next = 0
  return claimIds.map((id, index): ClaimAnalysis => {
    const { claim, needs } = claims[id]
    const finding = found[index]
    if (!finding)
      return {
        id,
        claim,
        verdict: 'no data',
        sentence: 'This run has no data on it.',
        figures: [],
        next: needs,
      }
    return { id, claim, ...finding.conclude(adjusted.slice(next, (next += finding.pValues.length))) }
  })
}
