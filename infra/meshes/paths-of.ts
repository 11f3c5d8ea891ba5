/** What of a mesh a request measures: everything that it declares is asked for by these paths. */
import type { EnvironmentRequest, Path } from '../../harness/model.js'

/** The paths that the request's arms take on a mesh, each once. */
export function pathsOf(
  mesh: string,
  { arms, paths }: Pick<EnvironmentRequest, 'arms' | 'paths'>,
): readonly Path[] {
  const names = new Set(arms.filter((arm) => arm.mesh === mesh).map(({ path }) => path))
  return paths.filter(({ name }) => names.has(name))
}
