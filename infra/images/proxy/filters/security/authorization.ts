/** Allows and denies requests by who asks (SPIFFE id, claims) and for what (method, path, headers). */
import { z } from 'zod'
import { type FilterExchange, defineFilter } from '../../exchange/filter.js'
import { pathOf } from '../../exchange/router.js'

const patternsSchema = z.array(z.string().min(1)).min(1)

const ruleSchema = z
  .strictObject({
    action: z.enum(['allow', 'deny']).default('allow'),
    principals: patternsSchema.optional().describe('SPIFFE ids'),
    methods: patternsSchema.optional(),
    paths: patternsSchema.optional().describe('without the query'),
    headers: z
      .array(z.strictObject({ name: z.string().min(1).toLowerCase(), values: patternsSchema }))
      .optional()
      .describe('a header with several values matches a deny rule by any of them, an allow rule by all'),
    claims: z
      .array(z.strictObject({ name: z.string().min(1), values: patternsSchema }))
      .optional()
      .describe('of the token that the jwt filter has checked'),
  })
  .describe('Matches when every field that it has matches; "*" at the end of a value matches any rest')

type Rule = z.output<typeof ruleSchema>
type Test = (exchange: FilterExchange) => boolean

export const authorization = defineFilter({
  schema: z
    .strictObject({ rules: z.array(ruleSchema).min(1) })
    .describe('Deny rules win; if there is an allow rule, one has to match'),
  create: ({ rules }, { registry }) => {
    const decisions = registry.counters('meshbench_authorization_total', 'Decisions of authorization.', {
      decision: ['allowed', 'denied'],
    })
    const denies = rules.filter(({ action }) => action === 'deny').map(compile)
    const allows = rules.filter(({ action }) => action === 'allow').map(compile)
    const refusal = { status: 403, reason: 'not-authorized', body: 'access denied\n' }
    return {
      request(exchange) {
        const isAllowed =
          !denies.some((test) => test(exchange)) &&
          (allows.length === 0 || allows.some((test) => test(exchange)))
        decisions[isAllowed ? 'allowed' : 'denied'].add()
        return isAllowed ? undefined : refusal
      },
    }
  },
})

function compile(rule: Rule): Test {
  const tests: Test[] = []
  const { principals, methods, paths, headers, claims } = rule
  if (principals) {
    const matches = matcher(principals)
    tests.push(({ client }) => client.peer !== undefined && matches(client.peer.id))
  }
  if (methods) {
    const matches = matcher(methods)
    tests.push(({ request }) => matches(request.method))
  }
  if (paths) {
    const matches = matcher(paths)
    // A path that another reader could understand otherwise is held against both kinds of rules.
    tests.push(({ request }) => {
      const path = normalisePath(pathOf(request))
      return path === undefined ? rule.action === 'deny' : matches(path)
    })
  }
  for (const { name, values } of headers ?? []) {
    if (name === 'host') {
      const matches = matcher(values.map((value) => value.toLowerCase()))
      tests.push(({ request }) => {
        // As routing reads it: in any case, and the port is not part of the name. Else a deny rule is easily evaded.
        const host = request.authority.toLowerCase()
        return matches(host) || matches(host.replace(/:\d*$/, ''))
      })
      continue
    }
    tests.push(headerTest(name, values, rule.action))
  }
  for (const { name, values } of claims ?? []) {
    const matches = matcher(values)
    tests.push((exchange) => {
      const value = exchange.claims?.[name]
      const list = Array.isArray(value) ? (value as unknown[]) : [value]
      return list.some(
        (item) => ['string', 'number', 'boolean'].includes(typeof item) && matches(String(item)),
      )
    })
  }
  return (exchange) => tests.every((test) => test(exchange))
}

/**
 * A repeated header and a list in one line mean the same (RFC 9110 §5.3), and a server may go by any of the values. So
 * one value is enough for a deny rule, and an allow rule has to match them all. The text as a whole counts as well, for
 * values that have a comma themselves; but "*" of an allow rule covers a comma only behind a pattern that has one.
 */
function headerTest(name: string, patterns: readonly string[], action: Rule['action']): Test {
  const matches = matcher(patterns)
  const isDeny = action === 'deny'
  const matchesWhole = isDeny
    ? matches
    : matcher(patterns.filter((pattern) => !pattern.endsWith('*') || pattern.includes(',')))
  return ({ request }) => {
    const whole = request.fields.join(name)
    if (whole === undefined) return false
    if (!whole.includes(',')) return matches(whole)
    if (matchesWhole(whole)) return true
    const values = whole.split(',').map((value) => value.trim())
    return isDeny ? values.some(matches) || request.fields.all(name).some(matches) : values.every(matches)
  }
}

function matcher(patterns: readonly string[]): (value: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.endsWith('*')))
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1))
  return (value) => exact.has(value) || prefixes.some((prefix) => value.startsWith(prefix))
}

/**
 * The path as an upstream will most likely read it: unreserved characters decoded, dot segments and double slashes
 * resolved (RFC 3986 §6.2.2). Undefined when it hides a slash, a backslash or a control character, which servers read
 * in different ways.
 */
export function normalisePath(path: string): string | undefined {
  if (!/[%\\]|\/\/|\/\./.test(path)) return path
  if (/%(?:2f|5c|0[0-9a-f]|1[0-9a-f]|7f)|\\|%(?![0-9a-f]{2})/i.test(path)) return undefined
  const decoded = path.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase()
  })
  const segments: string[] = []
  for (const segment of decoded
    .replace(/\/{2,}/g, '/')
    .slice(1)
    .split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '.') segments.push(segment)
  }
  const isFolder = /\/\.{0,2}$/.test(decoded)
  const joined = `/${segments.join('/')}`
  return isFolder && !joined.endsWith('/') ? `${joined}/` : joined
}
