/**
 * The default platform: every component is a plain process on this machine's loopback. Needs nothing but Node.
 *
 * Nodes are names only here, so the network costs nothing and what is left is the cost of the hops themselves.
 */
import { connect } from 'node:net'
import { totalmem } from 'node:os'
import type { EnvironmentRequest, Platform, Unmet } from '../../../harness/model.js'
import { platformSettings } from '../kit/settings.js'
import { countComponents, cpusOf, ownsApplication } from '../kit/units.js'
import { findGroups } from './groups.js'
import { loopbackPlace } from './process.js'
import { unmetQuota } from './quota.js'
import { createProcessHost, type ProcessNetwork } from './process-host.js'
import { localSettings, unmetPins } from './settings.js'

const mibPerComponent = 90

export const local: Platform = {
  name: 'local',
  summary: 'plain processes on loopback; needs nothing but Node',
  offers: ['own-hops'],
  environments: 'shared',
  builds: 'bundle',
  raisesServices: true,
  hasUnits: true,
  changesHops: { restartMs: 0 },
  times: { environmentMs: 1_500, armMs: 0, hopMs: 110, trialMs: 580, trialHopMs: 8 },
  settings: localSettings,
  leftovers: findGroups,

  check: async (request) => [
    ...(await unmetPins(platformSettings(localSettings, request))),
    ...unmetMemory(request),
    ...(await unmetQuota(request)),
  ],

  create: (request, scope, progress) =>
    createProcessHost({
      network: loopbackOf(request),
      pins: platformSettings(localSettings, request),
      scope,
      progress,
    }),
}

const loopbackOf = ({ arms }: EnvironmentRequest): ProcessNetwork => ({
  facts: [{ name: 'platform', value: 'local: processes on loopback, one kernel, no network between nodes' }],
  placeOf: () => Promise.resolve(loopbackPlace),
  wrapClient: (_arm, argv) => argv,
  connect: ({ host, port }) => connect(port, host),
  ownsApplication,
  cpusOf: (component) => cpusOf(arms, component),
})

/** Memory that processes of all arms together need, where the host has less. */
export function unmetMemory(request: EnvironmentRequest): readonly Unmet[] {
  const { hops, applications, services } = countComponents(request)
  const neededMib = (hops + applications + services + 1) * mibPerComponent
  const foundMib = Math.round(totalmem() / 2 ** 20)
  if (foundMib >= neededMib) return []
  return [
    {
      need: `about ${neededMib} MiB of memory for ${hops} hops, ${applications === 1 ? 'a server' : `${applications} servers`}${services === 0 ? '' : `, ${services} called ${services === 1 ? 'service' : 'services'}`} and a generator`,
      found: `${foundMib} MiB`,
      remedy: 'measure fewer arms at a time (--arm)',
    },
  ]
}
