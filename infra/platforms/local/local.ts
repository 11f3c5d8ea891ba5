/**
 * The default platform: every component is a plain process on this machine's loopback. Needs nothing but Node.
 *
 * Nodes are names only here, so the network costs nothing and what is left is the cost of the hops themselves.
 */
import { connect } from 'node:net'
import type { Platform } from '../../../harness/model.js'
import { platformSettings } from '../kit/settings.js'
import { ownsApplication, unmetMemory } from '../kit/units.js'
import { findGroups } from './groups.js'
import { loopbackPlace } from './process.js'
import { unmetQuota } from './quota.js'
import { createProcessHost, type ProcessNetwork } from './process-host.js'
import { localSettings, unmetPins } from './settings.js'

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
    ...(await unmetPins('local', platformSettings(localSettings, request))),
    ...unmetMemory(request),
    ...(await unmetQuota(request)),
  ],

  create: (request, scope, progress) =>
    createProcessHost({
      ...{ arms: request.arms, network: loopback, scope, progress },
      pins: platformSettings(localSettings, request),
    }),
}

const loopback: ProcessNetwork = {
  facts: [{ name: 'platform', value: 'local: processes on loopback, one kernel, no network between nodes' }],
  placeOf: () => Promise.resolve(loopbackPlace),
  wrapClient: (_arm, argv) => argv,
  connect: ({ host, port }) => connect(port, host),
  ownsApplication,
}
