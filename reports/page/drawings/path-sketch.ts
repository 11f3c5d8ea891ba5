/** A path in miniature, beside its figures: client, hops by layer, server, and a lock on what is encrypted. */
import type { Path } from '../../../harness/model.js'
import { securityOf } from '../../../harness/model/paths.js'
import { pathInWords } from './diagram.js'
import { escapeHtml } from '../clean.js'

const height = 26
const middle = height / 2
const hopWidth = 24
const end = 5

/** Drawn in its own size, so that letters keep theirs: 22 px for each end, 24 for a hop, the rest for legs. */
export function sketchPath(path: Path, colour: string): string {
  const legs = path.hops.length + 1
  const legWidth = path.hops.length > 4 ? 14 : 20
  const width = 4 * end + path.hops.length * hopWidth + legs * legWidth
  const left = (index: number) => 2 * end + legWidth + index * (hopWidth + legWidth)
  const parts: string[] = []
  for (let index = 0; index < legs; index++) {
    const from = index === 0 ? 2 * end : left(index - 1) + hopWidth
    const to = index === legs - 1 ? width - 2 * end : left(index)
    parts.push(leg(from, to, securityOf(path.legs[index] ?? 'plain') !== 'plain'))
  }
  parts.push(...path.hops.map((hop, index) => box(left(index), hop.layer, colour)))
  const dot = (x: number) =>
    `<circle cx="${x}" cy="${middle}" r="${end - 1}" fill="var(--paper)" stroke="var(--ink)" stroke-width="1.5"/>`
  parts.push(dot(end), dot(width - end))
  return `<svg class="sketch" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(pathInWords(path))}">${parts.join('')}</svg>`
}

function box(x: number, layer: 'l4' | 'l7', colour: string): string {
  const [y, size, radius] = layer === 'l7' ? [3, 20, 3] : [6, 14, 7]
  return (
    `<rect x="${x}" y="${y}" width="${hopWidth}" height="${size}" rx="${radius}" fill="var(--paper)" stroke="${colour}" stroke-width="${layer === 'l7' ? 2.5 : 1.5}"/>` +
    `<text x="${x + hopWidth / 2}" y="${middle + 4}" class="sk-layer" text-anchor="middle">${layer.toUpperCase()}</text>`
  )
}

function leg(from: number, to: number, encrypted: boolean): string {
  if (!encrypted) return `<path d="M${from},${middle}H${to}" class="sk-leg"/>`
  const x = (from + to) / 2
  return (
    `<path d="M${from},${middle - 1.5}H${to}M${from},${middle + 1.5}H${to}" class="sk-leg"/>` +
    `<path d="M${x - 2},${middle - 5}v-2a2,2 0 0 1 4,0v2" class="sk-bow"/>` +
    `<rect x="${x - 3.5}" y="${middle - 5.5}" width="7" height="5" rx="1" class="sk-lock"/>`
  )
}
