/** Needs that all meshes from Helm charts share. */
import { findProgram } from '../../harness/exec.js'
import type { EnvironmentRequest, Unmet } from '../../harness/model.js'
import { tools } from '../versions.js'

/** helm is on the PATH, or the platform fetches it: on kind the platform's own check covers all tools. */
export async function checkTools(request: EnvironmentRequest): Promise<readonly Unmet[]> {
  if (request.config.platform === 'kind') return []
  if ((await findProgram('helm')) !== undefined) return []
  return [
    {
      need: 'helm',
      found: 'none on the PATH',
      remedy: `install helm ${tools.helm.version} (https://helm.sh/docs/intro/install/), or run meshbench pull`,
    },
  ]
}
