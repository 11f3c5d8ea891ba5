/**
 * A Kubernetes cluster of its own for each mesh, in containers of one engine: client, server and waypoint each have a
 * worker, all of which share this machine's kernel and CPUs.
 */
import type { Platform } from '../../../harness/model.js'
import { hasCharts } from '../../supply/pull.js'
import { tools } from '../../supply/versions.js'
import { configuredImages } from '../kit/settings.js'
import { checkKind } from './check.js'
import { clusterLeftovers } from './clean.js'
import { createKind } from './create.js'
import { nodeImagePin } from './node-image.js'
import { hostCgroup } from './preflight.js'
import { kindSettings } from './settings.js'

export const kind: Platform = {
  name: 'kind',
  summary: 'a Kubernetes cluster in containers, one for each mesh; needs Docker, kind and kubectl',
  offers: ['own-hops', 'cluster', 'new-cluster'],
  environments: 'per-mesh',
  builds: 'image',
  times: { environmentMs: 65_000, armMs: 5_000, hopMs: 4_000, trialMs: 770 },
  // A kubelet sees within a second what has ended, waits another, and starts it.
  changesHops: { restartMs: 4_000 },
  armsAtOnce: 4,
  settings: kindSettings,
  flags: {
    keep: 'leave the clusters standing after the run',
    reuse: 'use a cluster that was kept, when one fits',
  },
  downloads(given, meshes) {
    const settings = kindSettings.parse(given ?? {})
    return [
      {
        neededBy: 'kind',
        tools: [tools.kind, tools.kubectl, ...(meshes.some(hasCharts) ? [tools.helm] : [])],
        images: [nodeImagePin(settings.nodeImage, hostCgroup())],
      },
      { neededBy: 'the config', images: configuredImages(settings) },
    ]
  },
  leftovers: clusterLeftovers,
  check: checkKind,
  create: createKind,
}
