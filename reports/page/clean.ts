/** Makes text from the journal harmless to look at: names, errors and log excerpts are untrusted. */
import { createHash } from 'node:crypto'

/** Longest line shown whole, sentences of verdicts among them; longer ones keep their head and a fingerprint, so that two stay two. */
const longestLine = 1000
/** Longest excerpt (anything with line breaks). */
const longestExcerpt = 4000

/**
 * Characters that would be invisible or would reorder the text around them: C0 and C1 controls but tab and line feed,
 * zero-width and bidirectional controls, line and paragraph separators, noncharacters and lone surrogates.
 */
const unseen =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Anything but printable ASCII. Nearly all text is without, and told so faster than it is looked through for what is unseen. */
const unusual = /[^ -~]/

/** Shows what cannot be seen (`⟨U+202E⟩`) and shortens what is too long. Equal input gives equal output. */
export function cleanText(text: string): string {
  const limit = text.includes('\n') ? longestExcerpt : longestLine
  const visible = text
    .slice(0, limit)
    .replace(
      unseen,
      (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
    )
  if (text.length <= limit) return visible
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return `${visible}… [${text.length} characters, ${mark}]`
}

/** `cleanText` on every string of a JSON-like value, keys included, so that lookups by name still meet. */
export function cleanDeep<T>(value: T): T {
  const seen = new Map<string, string>()
  const text = (raw: string): string => {
    if (raw.length <= longestLine && !unusual.test(raw)) return raw
    let result = seen.get(raw)
    if (result === undefined) {
      result = cleanText(raw)
      seen.set(raw, result)
    }
    return result
  }
  const walk = (inner: unknown): unknown => {
    if (typeof inner === 'string') return text(inner)
    if (Array.isArray(inner)) return inner.map(walk)
    if (inner === null || typeof inner !== 'object') return inner
    return Object.fromEntries(Object.entries(inner).map(([key, member]) => [text(key), walk(member)]))
  }
  return walk(value) as T
}

/** Escapes text for HTML element content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** JSON that may stand inside a script element: no `<`, and nothing that cannot be seen (line
 * separators, which old parsers trip over, are among that). */
export function embedJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/</g, '\\u003c')
    .replace(unseen, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
