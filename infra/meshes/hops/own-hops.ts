/** This repository's own tunnel and proxy as hop programs, so that a mesh can mix them with another vendor's. */
import { sizingFact } from './hop-limits.js'
import { credentialFiles, hopComponent, type HopProgram } from './hop-mesh.js'
import { proxyConfig, tunnelConfig } from '../reference/config.js'
import { readReferenceCounters } from '../reference/counters.js'
import { proxySettings, transportSettings, tunnelSettings } from './settings.js'
import { defined } from '../../../harness/model/defined.js'

function ownHop(
  image: 'tunnel' | 'proxy',
  render: typeof tunnelConfig,
  settings: NonNullable<HopProgram['settings']>,
): HopProgram {
  return {
    name: image,
    own: image,
    settings: { ...settings, ...transportSettings },
    facts: () => [sizingFact(`meshbench ${image}`, true)],
    workload: (spec) => ({
      component: hopComponent(spec),
      program: { kind: 'image', image, ...defined({ build: spec.builds[image] }) },
      listeners: ['downstream', 'admin'],
      files: credentialFiles(spec),
      config: (placement) => render(spec, placement),
    }),
    readCounters: async (fetchAdmin) => readReferenceCounters(await fetchAdmin('/metrics')),
  }
}

export const ownTunnel = ownHop('tunnel', tunnelConfig, tunnelSettings)
export const ownProxy = ownHop('proxy', proxyConfig, proxySettings)
