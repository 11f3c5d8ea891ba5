/** Reads the settings of `--variant name=set:…`: any that `meshSettings` have of hops, values as JSON has them. */
import { z } from 'zod'
import type { Mesh } from '../model.js'
import { bare, below, describeIssue, keysOf, nearest, quote } from './problems.js'
import { meshes } from '../../infra/meshes/index.js'

export type Settings = Record<string, unknown>

/** What is wrong with a text that was to be settings, in words that follow the flag. */
export class SettingsProblem extends Error {}

/**
 * `a.b=1,c=[{"d":2}]` as nested settings. A value that begins as a list, an object or a text in quotes is JSON, commas and
 * all; of others those are JSON that parse as such, the rest is text.
 *
 * Throws a `SettingsProblem`.
 */
export async function parseSettings(text: string): Promise<Settings> {
  const settings: Settings = {}
  const paths: string[] = []
  for (const pair of pairsOf(text)) {
    const [, path = '', value = ''] = /^([\w.-]+)=(.+)$/s.exec(pair) ?? []
    if (path === '') throw new SettingsProblem(`${quote(pair)} is not key=value`)
    const inherited = path.split('.').find((key) => key in Object.prototype)
    if (inherited !== undefined) throw new SettingsProblem(`${inherited} is no key of a setting`)
    const problem = unknownPath(path)
    if (problem !== undefined) throw new SettingsProblem(problem)
    const other = paths.find((set) => `${path}.`.startsWith(`${set}.`) || `${set}.`.startsWith(`${path}.`))
    if (other !== undefined) throw new SettingsProblem(`${path} is set by ${other} already`)
    paths.push(path)
    lay(settings, path.split('.'), parseValue(path, value))
  }
  await checkFilters(settings)
  return settings
}

/** What separates pairs is in values, too: what is not whole goes on behind the next comma. */
function pairsOf(text: string): readonly string[] {
  const pairs: string[] = []
  for (const part of text.split(',')) {
    const last = pairs.at(-1)
    if (last !== undefined && isCut(last)) pairs[pairs.length - 1] = `${last},${part}`
    else pairs.push(part)
  }
  return pairs
}

const beginsAsJson = /^\s*[[{"]/

function isCut(pair: string): boolean {
  const value = pair.slice(pair.indexOf('=') + 1)
  return pair.includes('=') && beginsAsJson.test(value) && asJson(value) === undefined
}

/** In a record, since `null` is JSON; undefined of what is none. */
function asJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

function parseValue(path: string, text: string): unknown {
  const json = asJson(text)
  if (json === undefined && beginsAsJson.test(text))
    throw new SettingsProblem(
      `${path}: ${text} is no JSON; names and texts in it have double quotes, which a shell takes away unless all is in single ones`,
    )
  // As a key it is lost where settings are laid over each other.
  if (json && JSON.stringify(json.value).includes('"__proto__":'))
    throw new SettingsProblem(`${path}: __proto__ is no key of a setting`)
  return json ? json.value : text
}

function lay(settings: Settings, keys: readonly string[], value: unknown): void {
  let place = settings
  for (const key of keys.slice(0, -1)) place = (place[key] ??= {}) as Settings
  place[keys.at(-1) ?? ''] = value
}

// ---------------------------------------------------------------- paths

/** Why no mesh whose hops can be varied has a setting at a path; undefined where one has. */
function unknownPath(path: string): string | undefined {
  const all = Object.values<Mesh>(meshes)
  const keys = path.split('.')
  const isVaried = ({ varies, variesIn }: Mesh) =>
    varies !== undefined && variesIn?.includes(keys[0] ?? '') !== false
  const varied = all.filter(isVaried)
  const problem = walk(
    varied.flatMap(({ settings }) => settings ?? []),
    keys,
  )
  if (problem === undefined) return undefined
  const whole = all.filter(
    (mesh) => !isVaried(mesh) && mesh.settings && walk([mesh.settings], keys) === undefined,
  )
  const names = whole.map(({ name }) => name).join(', ')
  return whole.length > 0
    ? `${path} is no setting of a hop, but of the whole of ${names}, all of whose arms have the same`
    : `${path} is no setting of a hop: ${problem}`
}

/** Follows a path through shapes of settings; what is wrong where none of them goes on. */
function walk(shapes: readonly z.ZodType[], keys: readonly string[]): string | undefined {
  let places = shapes.map(bare)
  for (const [index, key] of keys.entries()) {
    if (places.some((place) => place instanceof z.ZodUnknown)) return undefined
    const inner = places.flatMap((place) => below(place, key) ?? [])
    if (inner.length === 0) return whyNot(places, keys.slice(0, index).join('.'), key)
    places = inner.map(bare)
  }
  return undefined
}

function whyNot(places: readonly z.ZodType[], at: string, key: string): string {
  const names = [...new Set(places.flatMap(keysOf))]
  if (names.length > 0) {
    const near = nearest(key, names)
    const meant = near === undefined ? '' : `did you mean ${near}? `
    return `${meant}${at === '' ? 'there are' : `${at} has`} ${names.join(', ')}`
  }
  return places.some((place) => place instanceof z.ZodArray)
    ? `${at} is a list, which is set as a whole: ${at}=[…]`
    : `${at} is one value`
}

/** What the hop would say of a value when it starts, said before anything is. */
async function checkFilters(settings: Readonly<Settings>): Promise<void> {
  const { filters } = (settings.proxy ?? {}) as { readonly filters?: unknown }
  // Of fields that are not here the mesh's own settings may have some.
  const [problem] = filters === undefined ? [] : await filterProblems(filters, [], isGiven)
  if (problem !== undefined) throw new SettingsProblem(problem)
}

const isGiven = ({ code, input }: z.core.$ZodIssue) => code === 'unrecognized_keys' || input !== undefined

/** What is wrong with functions of L7 hops, whose names the mesh's own shape knows and whose fields the filters' does. */
async function filterProblems(
  filters: unknown,
  place: readonly string[],
  counts: (issue: z.core.$ZodIssue) => boolean,
): Promise<readonly string[]> {
  const { filtersSchema } = await import('../../infra/images/proxy/filters/index.js')
  const issues = filtersSchema.safeParse(filters, { reportInput: true }).error?.issues ?? []
  return issues
    .filter(counts)
    .map((issue) => describeIssue(issue, filtersSchema, [...place, 'proxy', 'filters']))
}

/**
 * What hops of a config's `meshSettings` would refuse when they start. What a variant is to complete may lack fields.
 * A name that is no function is told by the shape of the mesh's settings, and so is what is no object.
 */
export async function configFilterProblems(config: unknown, isVaried: boolean): Promise<readonly string[]> {
  const inner = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? (value as Settings)[key] : undefined
  const meshSettings = inner(config, 'meshSettings')
  const problems: string[] = []
  for (const mesh of Object.keys(meshes)) {
    const filters = inner(inner(inner(meshSettings, mesh), 'proxy'), 'filters')
    if (typeof filters !== 'object' || filters === null) continue
    const isOfField = ({ path, code }: z.core.$ZodIssue) =>
      path.length > 1 || (path.length === 1 && code === 'unrecognized_keys')
    const counts = (issue: z.core.$ZodIssue) => isOfField(issue) && (!isVaried || isGiven(issue))
    problems.push(...(await filterProblems(filters, ['meshSettings', mesh], counts)))
  }
  return problems
}
