/** Tells before anything is started that a platform cannot raise what functions of a mesh call. */
import type { EnvironmentRequest, Platform, Unmet } from '../../../harness/model.js'
import { calledServices, settingsOf } from '../../../harness/model/variants.js'

/** A variant that needs one is left out by the plan; here it is the mesh's own settings that name it. */
export function unmetServices(
  mesh: string,
  { config, arms }: EnvironmentRequest,
  { raisesServices }: Pick<Platform, 'raisesServices'>,
): readonly Unmet[] {
  if (raisesServices) return []
  const own = arms.filter((arm) => arm.mesh === mesh)
  const called = new Set(own.flatMap((arm) => calledServices(settingsOf(config, arm))))
  if (called.size === 0) return []
  return [
    {
      need: `services for meshSettings.${mesh}.proxy.services: ${[...called].join(', ')}`,
      found: `${config.platform}, which deploys hops alone`,
      remedy: 'measure on local, docker or netns, or leave the functions that call them out',
    },
  ]
}
