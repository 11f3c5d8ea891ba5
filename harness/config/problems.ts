/** What is wrong with a config or a flag: every problem at once, each with its place, what was there and what is allowed. */
import { z } from 'zod'
import { UserError } from '../model/errors.js'
import { isSecretText } from '../model/secrets.js'
import { configSchema } from './config-schema.js'

/** A config as far as it can be read: what is wrong in it is told and left out, so that the rest is checked, too. */
export interface ReadConfig {
  /** Absent where nothing is left that could be checked. */
  readonly config?: z.output<typeof configSchema>
  /** What was given, without what is wrong. */
  readonly given: z.input<typeof configSchema>
  readonly problems: string[]
  /** Fields of the config in which something is wrong. */
  readonly wrong: ReadonlySet<string>
}

export function readWhole(input: unknown): ReadConfig {
  const problems: string[] = []
  const wrong = new Set<string>()
  let given = input
  // Checks across fields come after the fields themselves, and a name that is wrong may hide a value that is.
  for (let looks = 0; looks < 4; looks++) {
    const checked = configSchema.safeParse(given, { reportInput: true })
    if (checked.success) return { config: checked.data, given: given as ReadConfig['given'], problems, wrong }
    for (const issue of checked.error.issues) {
      const problem = describeIssue(issue, configSchema)
      if (!problems.includes(problem)) problems.push(problem)
      if (issue.path[0] !== undefined) wrong.add(String(issue.path[0]))
    }
    given = checked.error.issues.reduce(without, given)
  }
  return { given: given as ReadConfig['given'], problems, wrong }
}

/** A copy without what an issue is about; of a list the whole, so that the places of the others stay what they are. */
function without(value: unknown, issue: z.core.$ZodIssue): unknown {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.reduce((left, key) => remove(left, [...issue.path, key]), value)
  const list = issue.path.findIndex((key) => typeof key === 'number')
  return remove(value, list < 0 ? issue.path : issue.path.slice(0, list))
}

function remove(value: unknown, [key, ...rest]: readonly PropertyKey[]): unknown {
  if (key === undefined || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value))
    return (value as unknown[]).map((item, index) => (index === key ? remove(item, rest) : item))
  const { [String(key)]: inner, ...others } = value as Readonly<Record<string, unknown>>
  return rest.length === 0 ? others : { ...others, [String(key)]: remove(inner, rest) }
}

/** What was made of what was given, and what is wrong with that. */
export interface Checked<T> {
  readonly value: T
  readonly problems: readonly string[]
}

export function oneOf<Name extends string>(
  given: string,
  allowed: readonly Name[],
  field: string,
): Checked<Name | undefined> {
  const value = allowed.find((name) => name === given)
  const problem = `${field}: ${quote(given)} is unknown; ${offer(given, allowed)}`
  return { value, problems: value === undefined ? [problem] : [] }
}

/** Those of a list that are allowed. */
export function someOf<Name extends string>(
  given: readonly string[],
  allowed: readonly Name[],
  field: string,
): Checked<readonly Name[]> {
  const each = given.map((name) => oneOf(name, allowed, field))
  return {
    value: each.flatMap(({ value }) => value ?? []),
    problems: each.flatMap(({ problems }) => problems),
  }
}

/** `did you mean l4-only? Allowed: …`, or the names alone. */
function offer(typed: unknown, allowed: readonly string[]): string {
  const near = typeof typed === 'string' ? nearest(typed, allowed) : undefined
  const names = allowed.join(', ')
  return near === undefined ? `allowed: ${names}` : `did you mean ${near}? Allowed: ${names}`
}

/** The name that is at most two letters from what was typed, transposed ones counting as one; none where two are as near. */
export function nearest(typed: string, allowed: readonly string[]): string | undefined {
  const near = allowed
    .map((name) => ({ name, distance: distanceOf(typed, name) }))
    .filter(({ name, distance }) => distance <= 2 && distance < Math.min(typed.length, name.length) / 2)
    .sort((a, b) => a.distance - b.distance)
  return near[0]?.distance === near[1]?.distance ? undefined : near[0]?.name
}

/** Damerau and Levenshtein's distance, of neighbours that changed places alone. */
function distanceOf(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (up: number, left: number) => rows[i - up]?.[j - left] as number
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          at(1, 0) + 1,
          (row[j - 1] as number) + 1,
          at(1, 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
          swapped ? at(2, 2) + 1 : Infinity,
        ),
      )
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}

/** One line: where, what was there, what is allowed. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  prefix: readonly PropertyKey[] = [],
): string {
  const path = fieldOf([...prefix, ...issue.path])
  const where = path || 'the config'
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = keysAt(schema, issue.path)
      const given = issue.keys.map(
        (key) => `${quote(key)} (${show((issue.input as Named | undefined)?.[key])})`,
      )
      return `${where}: unknown ${given.length > 1 ? 'keys' : 'key'} ${given.join(', ')}; allowed: ${allowed.join(', ') || 'none'}`
    }
    case 'invalid_value':
      return `${where}: ${show(issue.input)} is not allowed; ${offer(issue.input, issue.values.map(String))}`
    case 'invalid_key': {
      const allowed = issue.issues.flatMap((inner) =>
        inner.code === 'invalid_value' ? inner.values.map(String) : [],
      )
      return `${where}: unknown name${allowed.length > 0 ? `; allowed: ${allowed.join(', ')}` : ''}`
    }
    case 'custom':
      return `${where}: ${issue.message}`
    default:
      return issue.input === undefined
        ? `${where}: it is missing; ${needed(issue)}`
        : `${where}: ${show(issue.input)} is not allowed; ${needed(issue)}`
  }
}

/** Types as a person calls them who writes a config and knows nothing of what checks it. */
const kinds: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a text',
}

/** What would be right instead, of what a schema says of one place. */
function needed(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `needed: ${kinds[issue.expected] ?? issue.expected}`
    case 'too_small':
      return issue.minimum === 1 && !isAmount(issue.origin)
        ? 'needed: at least something in it'
        : `needed: ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`
    case 'too_big':
      return `needed: ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`
    case 'invalid_union': {
      const ways = issue.errors.flatMap(([first]) => first ?? [])
      const values = ways.flatMap((way) => (way.code === 'invalid_value' ? way.values.map(String) : []))
      if (values.length > 0 && values.length === ways.length) return offer(issue.input, values)
      const words = [...new Set(ways.map((way) => needed(way).replace('needed: ', '')))]
      return words.length > 0 ? `needed: ${words.join(' or ')}` : issue.message
    }
    default:
      return issue.message
  }
}

const isAmount = (origin: string) => ['number', 'int', 'bigint', 'date'].includes(origin)

function unitOf(origin: string): string {
  if (isAmount(origin)) return ''
  return origin === 'string' ? ' characters' : ' entries'
}

type Named = Readonly<Record<string, unknown>>

/** `thresholds[0].arm`, as a person writes it. */
export function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text ? '.' : ''}${String(key)}`),
    '',
  )
}

/** Names of the fields that an object may have at this place of a shape. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const place = path.reduce<z.ZodType | undefined>((outer, key) => {
    const whole = outer && bare(outer)
    return whole instanceof z.ZodArray ? (whole.element as z.ZodType) : whole && below(whole, String(key))
  }, schema)
  return place ? keysOf(bare(place)) : []
}

/** Without what says that it may be absent, or what it is then. */
export function bare(schema: z.ZodType): z.ZodType {
  const { innerType } = schema.def as { readonly innerType?: z.ZodType }
  return innerType ? bare(innerType) : schema
}

/** The shape under a name; undefined where there is none. */
export function below(schema: z.ZodType, key: string): z.ZodType | undefined {
  if (schema instanceof z.ZodRecord)
    return (schema.keyType as z.ZodType).safeParse(key).success ? (schema.valueType as z.ZodType) : undefined
  if (!(schema instanceof z.ZodObject)) return undefined
  return Object.hasOwn(schema.shape, key) ? (schema.shape[key] as z.ZodType) : undefined
}

export function keysOf(schema: z.ZodType): readonly string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape)
  return schema instanceof z.ZodRecord && schema.keyType instanceof z.ZodEnum
    ? schema.keyType.options.map(String)
    : []
}

/** What was typed is blamed on where it was typed: in the config, on the command line, or both. */
export function configError(source: string, problems: readonly string[]): UserError {
  const typed = problems.filter((problem) => problem.startsWith('--')).length
  const where =
    typed === 0 ? source : typed === problems.length ? 'the command line' : `${source} and the command line`
  const verb = typed > 0 && typed < problems.length ? 'have' : 'has'
  const title = `${where} ${verb} ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`
  return new UserError([title, ...problems.map((problem) => `  - ${problem}`)].join('\n'), {
    hint: 'run `meshbench list` for the names, `meshbench init` for a commented example',
  })
}

export function quote(value: string): string {
  return JSON.stringify(value)
}

function show(value: unknown): string {
  const text = textOf(value)
  // What is printed lands in logs of CI.
  if (isSecretText(text)) return 'a value with a secret in it'
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

/** A config is a program's value, of which JSON has no words for some: NaN, functions, what holds itself. */
function textOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number' || typeof value === 'symbol') return String(value)
  try {
    return JSON.stringify(value)
  } catch {
    return 'an object'
  }
}
