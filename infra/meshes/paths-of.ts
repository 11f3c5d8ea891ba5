/** The paths that a request's arms take on a mesh, each once: everything that a mesh declares is asked for by these. */
import type { EnvironmentRequest, Path } from '../../harness/model.js'

export function pathsOf(
  mesh: string,
  { arms, paths }: Pick<EnvironmentRequest, 'arms' | 'paths'>,
): readonly Path[] {
  const names = new Set(arms.filter((arm) => arm.mesh === mesh).map(({ path }) => path))
  return paths.filter(({ name }) => names.has(name))
}
