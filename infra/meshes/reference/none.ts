/** No mesh: the baseline and its twin, which tell what everything else adds and how small a difference is noise. */
import { baselineMesh } from '../../../harness/model/plan.js'
import type { Mesh } from '../../../harness/model.js'
import { endpointOf } from '../hops/hop-mesh.js'
import { readReferenceCounters } from './counters.js'
import { serviceAuthority } from './names.js'

export const none: Mesh = {
  name: baselineMesh,
  summary: 'no mesh: the baseline',
  paths: ['baseline'],
  livesOn: 'own-hops',
  check: async () => [],
  async install({ host }) {
    return {
      facts: [],
      components: [],
      async raise(arm, path) {
        const application = await host.startApplication(arm, path)
        return {
          endpoint: { ...endpointOf(application, 'http'), authority: serviceAuthority },
          application: application.component,
          components: [],
          readCounters: async (component) =>
            readReferenceCounters(await host.fetchAdmin(component, '/metrics')),
          prove: async () => [],
        }
      },
    }
  },
}
