/** Which arms the flags leave of those of a config: what is accepted and what is offered are one list. */
import { meshes } from '../../infra/meshes/index.js'
import { names } from './config-schema.js'
import { type Checked, someOf } from './problems.js'

type Arms = Readonly<Partial<Record<string, readonly string[]>>>
type Pair = readonly [mesh: string, path: string]

/** Each `--arm` is `mesh/path` of any mesh, or a path or a mesh: of the config, or of the meshes that `--mesh` names. */
export function selectArms(
  configured: Arms,
  flags: { readonly arm?: readonly string[]; readonly mesh?: readonly string[] },
): Checked<Record<string, readonly string[]>> {
  const chosen = flags.mesh && someOf(flags.mesh, names(meshes), '--mesh')
  const { value: named, problems = [] } = chosen ?? {}
  const base: Arms = named
    ? Object.fromEntries(named.map((mesh) => [mesh, configured[mesh] ?? meshes[mesh].paths]))
    : configured
  if (flags.arm === undefined) return { value: collect(pairsOf(base)), problems }
  const choices = new Map<string, readonly Pair[]>()
  const offer = (name: string, pair: Pair) => choices.set(name, [...(choices.get(name) ?? []), pair])
  for (const pair of pairsOf(base)) offer(pair[0], pair)
  // A path of a mesh that was named is meant even where the config leaves it out.
  const formed: Arms = named
    ? Object.fromEntries(named.map((mesh) => [mesh, meshes[mesh].paths]))
    : configured
  for (const pair of pairsOf(formed)) offer(pair[1], pair)
  for (const pair of names(meshes).flatMap((mesh) => meshes[mesh].paths.map((path): Pair => [mesh, path])))
    offer(pair.join('/'), pair)
  const wanted = someOf(flags.arm, [...choices.keys()], '--arm')
  return {
    value: collect(wanted.value.flatMap((name) => choices.get(name) ?? [])),
    problems: [...problems, ...wanted.problems],
  }
}

function pairsOf(arms: Arms): readonly Pair[] {
  return Object.entries(arms).flatMap(([mesh, paths = []]) => paths.map((path): Pair => [mesh, path]))
}

function collect(pairs: readonly Pair[]): Record<string, readonly string[]> {
  const arms: Record<string, readonly string[]> = {}
  for (const [mesh, path] of pairs) arms[mesh] = [...new Set([...(arms[mesh] ?? []), path])]
  return arms
}
