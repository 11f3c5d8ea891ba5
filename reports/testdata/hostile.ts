/** An analysis whose every free string attacks the page that shows it. */
import type { Analysis, TrialErrorKind } from '../../harness/model.js'
import { sampleAnalysis } from './sample-analysis.js'

/** What each attack would leave behind if it worked: script sets `window.pwned`. */
export const attacks: readonly string[] = [
  '<script>window.pwned=1</script>',
  '</script><script>window.pwned=1</script>',
  '"><img src=x onerror="window.pwned=1">',
  "' onmouseover='window.pwned=1",
  '`${window.pwned=1}`',
  '{{{constructor.constructor "window.pwned=1"}}}',
  '<!--<script>window.pwned=1//-->',
  ']]><svg onload="window.pwned=1">',
  'javascript:window.pwned=1',
  'https://example.invalid/beacon.png',
  '\u202Edesrever\u202C \u2066isolate\u2069 \u200Bzero',
  'line\u2028separator\u2029paragraph',
  'nul\u0000byte \u0007bell \u001b[31mred',
  'lone \ud800 surrogate',
  'x'.repeat(10_240),
  '=HYPERLINK("https://example.invalid")',
  'url(https://example.invalid/a.css)</style><style>*{display:none}',
]

/** Replaces every name, message and text by attacks, keeping references between parts intact. */
export function hostileAnalysis(): Analysis {
  const analysis = sampleAnalysis({ rounds: 3, rates: [1000] })
  const keep = new Set(['ms', 'us', 'ratio', 'req/s', 'MiB', 'share', 'vCPU', 'currency', 'count'])
  const renamed = new Map<string, string>()
  let next = 0
  const rename = (text: string): string => {
    let attack = renamed.get(text)
    if (attack === undefined) {
      attack = `${attacks[next % attacks.length] ?? ''}${next >= attacks.length ? String(next) : ''}`
      next++
      renamed.set(text, attack)
    }
    return attack
  }
  // Fields whose values are words of the model: a journal that breaks them does not parse.
  const words = new Set([
    'schema', 'outcome', 'role', 'layer', 'node', 'legs', 'category', 'model', 'protocol', 'arrival', 'unit', 'metric', 'verdict',
    'state', 'id', 'startedAt', 'endedAt', 'arm', 'arms', 'versus', 'baseline', 'path', 'paths', 'name', 'experiment', 'loadLabel', 'cell', 'cells',
  ])
  // Names that parts refer to each other by are replaced alike everywhere; they keep their own text in front.
  const names = new Set([...analysis.arms.map((arm) => arm.id), ...analysis.paths.flatMap((path) => [path.name, ...path.hops.map((hop) => hop.name)])])
  const modelWords = new Set(['role', 'layer', 'node', 'legs', 'category'])
  const word = (text: string, key: string): string => {
    if (names.has(text) && !modelWords.has(key)) return text + rename(`name of ${text}`)
    return words.has(key) || keep.has(text) ? text : rename(text)
  }
  const walk = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return word(value, key)
    if (Array.isArray(value)) return value.map((element) => walk(element, key))
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([inner, part]) => [inner.includes('/') ? word(inner, 'arm') : inner, walk(part, inner)]))
    }
    return value
  }
  const broken = walk(analysis, '') as Analysis
  return {
    ...broken,
    paths: broken.paths.map((path) => ({ ...path, colour: { light: 'red;background:url(https://example.invalid)', dark: '</style>' } })),
    warnings: [...attacks],
    facts: attacks.map((attack) => ({ name: attack, value: attack })),
    failures: Object.fromEntries(attacks.map((attack) => [attack, { kind: attack as TrialErrorKind, message: attack, detail: `${attack}\n${attack}` }])),
    trials: broken.trials.map((trial, index) =>
      index % 2 === 0
        ? {
            ...trial,
            state: 'failed' as const,
            reasons: [attacks[index % attacks.length] ?? ''],
            error: { kind: 'x' as TrialErrorKind, message: attacks[(index + 1) % attacks.length] ?? '', detail: attacks.join('\n') },
          }
        : trial,
    ),
  }
}
