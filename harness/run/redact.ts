/**
 * A journal as it may be shown to strangers: what names a host, a user, a cluster or a place in a network goes, each under a
 * name that stands for it wherever it was. Figures, digests and versions stay, so that runs can still be compared.
 */
import { isIPv6 } from 'node:net'
import type { JournalEntry } from '../model.js'

export interface Redacted {
  readonly entries: readonly JournalEntry[]
  /** What was hidden → what stands for it, in the order in which it was found. */
  readonly hidden: ReadonlyMap<string, string>
}

/** Hides names that the journal itself tells are somebody's, what looks like one, and every text of `also`. */
export function redact(entries: readonly JournalEntry[], also: readonly string[] = []): Redacted {
  const hidden = new Map<string, string>()
  const counts = new Map<string, number>()
  const standIn = (text: string, kind: string, show = (name: string) => name): string => {
    const known = hidden.get(text)
    if (known !== undefined) return known
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    const name = show(`${kind}-${count}`)
    hidden.set(text, name)
    return name
  }
  const names = [...namesIn(entries), ...also.map((text) => ['text', text] as const)]
  // A longer name may have a shorter one in it.
  const known = names.filter(([, text]) => text !== '').sort(([, a], [, b]) => b.length - a.length)
  const hide = (text: string): string => {
    let shown = text
    for (const [kind, name] of known)
      if (shown.includes(name)) shown = shown.replaceAll(name, standIn(name, kind))
    for (const { pattern, kind, show, isHarmless } of patterns)
      shown = shown.replace(pattern, (found: string) =>
        isHarmless(found) ? found : standIn(found, kind, (name) => show?.(name, found) ?? name),
      )
    return shown
  }
  return { entries: entries.map((entry) => mapTexts(entry, hide) as JournalEntry), hidden }
}

/** Names that a run was told or has found out: contexts, nodes, labels of nodes, values of the environment's variables. */
function* namesIn(entries: readonly JournalEntry[]): Generator<readonly [kind: string, text: string]> {
  for (const entry of entries) {
    if (entry.type === 'run') {
      const { host, plan, flags } = entry
      for (const value of Object.values(host.environment ?? {})) yield ['value', value]
      for (const settings of [...Object.values(plan.config.platformSettings), flags])
        yield* contextsIn(settings)
    } else if (entry.type === 'environment')
      for (const { name, value } of entry.facts) {
        const context = /\bcontext ([^,\s]+)/.exec(value)?.[1]
        if (context !== undefined) yield ['context', context]
        if (name === 'placement')
          for (const [, node = ''] of value.matchAll(/ on ([^,\s]+)/g)) yield ['node', node]
      }
  }
}

function* contextsIn(settings: unknown): Generator<readonly [kind: string, text: string]> {
  const { context, nodeSelectors } = (settings ?? {}) as Readonly<Record<string, unknown>>
  if (typeof context === 'string') yield ['context', context]
  for (const labels of Object.values((nodeSelectors ?? {}) as Record<string, Record<string, string>>))
    for (const label of Object.values(labels)) if (label.length > 3) yield ['label', label]
}

interface Pattern {
  readonly pattern: RegExp
  readonly kind: string
  /** How it is shown with the name that stands for it. */
  readonly show?: (name: string, found: string) => string
  readonly isHarmless: (found: string) => boolean
}

/** Places that every machine of a kind has. */
const systemPath = /^\/(?:etc|proc|sys|dev|usr|bin|lib|opt\/cni|var\/(?:run|lib)|run|echo)\b/
const anyHost =
  /^(?:[\w+.-]+:\/\/)?(?:localhost|cluster\.local|kubernetes\.default\.svc|127\.0\.0\.\d+|0\.0\.0\.0|\[::1?\])$/

const patterns: readonly Pattern[] = [
  {
    // `https://host:port` of a URL; a scheme with no host of a network, as of SPIFFE, is told by its trust domain.
    pattern: /\b(?:https?|tcp|ssh|socks5?):\/\/[\w.:[\]@-]+/gi,
    kind: 'host',
    show: (name, found) => `${found.slice(0, found.indexOf('://'))}://${name}`,
    isHarmless: (found) => anyHost.test(found.replace(/:\d+$/, '')),
  },
  {
    // The registry of an image: a host has a dot or a port (distribution/reference, domain-component).
    pattern: /(?<![\w./@:-])(?:[a-z\d-]+\.)+[a-z\d-]+(?::\d+)?(?=\/[a-z\d])/gi,
    kind: 'host',
    isHarmless: (found) => anyHost.test(found.replace(/:\d+$/, '')),
  },
  {
    pattern: /(?<![\w.:/+=~-])\/(?:[\w.@+~-]+\/)+[\w.@+~-]*/g,
    kind: 'path',
    show: (name, found) => `/${name}/${found.split('/').at(-1) ?? ''}`,
    isHarmless: (found) => systemPath.test(found),
  },
  {
    pattern: /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/g,
    kind: 'address',
    isHarmless: (found) => anyHost.test(found),
  },
  {
    pattern: /(?<![\w:.])[\da-f]*(?::[\da-f]*){2,}(?![\w:.])/gi,
    kind: 'address',
    isHarmless: (found) => !isIPv6(found) || /^::1?$/.test(found),
  },
  { pattern: /[\w.+-]+@(?:[a-z\d-]+\.)+[a-z]+/gi, kind: 'mail', isHarmless: () => false },
]

/** Every text of a value, keys of records among them, but for histograms, which hold no words. */
function mapTexts(value: unknown, of: (text: string) => string): unknown {
  if (typeof value === 'string') return of(value)
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, of))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [of(key), key === 'data' ? inner : mapTexts(inner, of)]),
  )
}
