/** Draws a path as SVG: nodes, pods and hops with their layer, legs as they are carried, and figures at every hop. */
import type { Hop, LegTransport, NodeRole, Path } from '../../../harness/model.js'
import { securityOf } from '../../../harness/model/paths.js'
import { shorten } from '../../formats/format.js'
import { escapeHtml } from '../clean.js'
import type { Size } from '../theme.js'

/** What is printed at one hop, already formatted; empty strings print nothing. */
export interface HopFigures {
  /** Time that the hop (or the step that it belongs to) added. */
  readonly time: string
  readonly cpu: string
  readonly note: string
}

export interface Diagram {
  readonly path: Path
  /** CSS colour of the path. */
  readonly colour: string
  readonly figures: Readonly<Record<string, HopFigures>>
  /** Text for those who cannot see the drawing. */
  readonly alternative: string
}

interface Box {
  readonly title: string
  readonly badge: string
  readonly node: NodeRole
  readonly hop?: Hop
}

const nodeTitle: Record<NodeRole, string> = {
  client: 'client node',
  server: 'server node',
  waypoint: 'waypoint node',
}
const legTitle: Record<LegTransport, string> = {
  plain: 'plain',
  tls: 'TLS',
  mtls: 'mTLS',
  connect: 'CONNECT',
  'connect-tls': 'CONNECT, TLS',
  hbone: 'HBONE',
}

/** Words for a path, used as the drawing's text alternative. */
export function pathInWords(path: Path): string {
  const names = [
    'client',
    ...path.hops.map((hop) => `${hop.name} (${hop.layer.toUpperCase()}, ${nodeTitle[hop.node]})`),
    'server',
  ]
  return names
    .map((name, index) => (index === 0 ? name : `${legWords(path.legs[index - 1] ?? 'plain')} ${name}`))
    .join(' ')
}

export function drawPath(diagram: Diagram, size: Size): string {
  return size === 'wide' ? drawAcross(diagram) : drawDown(diagram)
}

function drawAcross({ path, colour, figures, alternative }: Diagram): string {
  const boxes = boxesOf(path)
  const width = 860
  const boxWidth = boxes.length > 6 ? 96 : 118
  const edge = 16
  const centre = 68
  // Legs between nodes get more room than those within one: they carry a label and cross two frames.
  const weights = boxes.slice(1).map((box, index) => (box.node === boxes[index]?.node ? 1 : 1.9))
  const room = width - 2 * edge - boxes.length * boxWidth
  const unit = room / weights.reduce((sum, weight) => sum + weight, 0)
  const lefts = boxes.map((_, index) => {
    const before = weights.slice(0, index).reduce((sum, weight) => sum + weight, 0)
    return edge + index * boxWidth + before * unit
  })
  const left = (index: number) => lefts[index] ?? edge
  const parts: string[] = []
  for (const group of groupByNode(boxes)) {
    const from = left(group.from) - 12
    const to = left(group.to) + boxWidth + 12
    parts.push(
      frame('node', from, 8, to - from, 118),
      text(from + 8, 22, nodeTitle[group.node], 'dg-node', 'start'),
    )
  }
  for (const pod of podsOf(boxes)) {
    const from = left(pod.from) - 6
    const to = left(pod.to) + boxWidth + 6
    parts.push(frame('pod', from, 34, to - from, 84), text(from + 6, 112, 'pod', 'dg-node', 'start'))
  }
  boxes.slice(1).forEach((_, index) => {
    const [from, to] = [left(index) + boxWidth, left(index + 1)]
    const middle = (from + to) / 2
    parts.push(
      drawLeg(path.legs[index] ?? 'plain', {
        ...{ from, to, run: 'H', point: (along, aside) => `${along},${centre + aside}` },
        ...{ lock: [middle - 5, centre - 24], words: [middle, centre + 20, 'middle'] },
      }),
    )
  })
  boxes.forEach((box, index) => {
    const x = left(index)
    parts.push(drawBox(box, x, centre, boxWidth, colour))
    const figure = box.hop === undefined ? undefined : figures[box.hop.name]
    if (figure !== undefined) {
      parts.push(text(x + boxWidth / 2, 146, figure.time, 'dg-figure', 'middle'))
      parts.push(text(x + boxWidth / 2, 164, figure.cpu, 'dg-figure', 'middle'))
      parts.push(text(x + boxWidth / 2, 181, figure.note, 'dg-note', 'middle'))
    }
  })
  return wrap(width, path.hops.length > 0 ? 190 : 134, parts, alternative)
}

function drawDown({ path, colour, figures, alternative }: Diagram): string {
  const boxes = boxesOf(path)
  const width = 350
  const boxWidth = 132
  const step = 92
  const x = 24
  const centre = (index: number) => 52 + index * step
  const parts: string[] = []
  for (const group of groupByNode(boxes)) {
    const top = centre(group.from) - 44
    parts.push(frame('node', 8, top, width - 16, centre(group.to) + 34 - top))
    parts.push(text(width - 16, top + 15, nodeTitle[group.node], 'dg-node', 'end'))
  }
  for (const pod of podsOf(boxes)) {
    const top = centre(pod.from) - 30
    parts.push(frame('pod', x - 8, top, boxWidth + 16, centre(pod.to) + 30 - top))
    const application = pod.from === 0 ? pod.from : pod.to
    parts.push(text(x + boxWidth + 14, centre(application) + 4, 'pod', 'dg-node', 'start'))
  }
  boxes.slice(1).forEach((_, index) => {
    const from = centre(index) + heightOf(boxes[index]) / 2
    const to = centre(index + 1) - heightOf(boxes[index + 1]) / 2
    const [at, middle] = [x + boxWidth / 2, (from + to) / 2]
    parts.push(
      drawLeg(path.legs[index] ?? 'plain', {
        ...{ from, to, run: 'V', point: (along, aside) => `${at + aside},${along}` },
        ...{ lock: [at + 14, middle - 8], words: [at + 32, middle + 4, 'start'] },
      }),
    )
  })
  boxes.forEach((box, index) => {
    parts.push(drawBox(box, x, centre(index), boxWidth, colour))
    const figure = box.hop === undefined ? undefined : figures[box.hop.name]
    if (figure !== undefined) {
      parts.push(text(x + boxWidth + 14, centre(index) - 8, figure.time, 'dg-figure', 'start'))
      parts.push(text(x + boxWidth + 14, centre(index) + 9, figure.cpu, 'dg-figure', 'start'))
      parts.push(text(x + boxWidth + 14, centre(index) + 25, figure.note, 'dg-note', 'start'))
    }
  })
  return wrap(width, centre(boxes.length - 1) + 44, parts, alternative)
}

function boxesOf(path: Path): Box[] {
  return [
    { title: 'client', badge: 'app', node: 'client' },
    ...path.hops.map((hop): Box => ({
      title: hop.name,
      badge: hop.layer.toUpperCase(),
      node: hop.node,
      hop,
    })),
    { title: 'server', badge: 'app', node: 'server' },
  ]
}

function groupByNode(boxes: readonly Box[]): { node: NodeRole; from: number; to: number }[] {
  const groups: { node: NodeRole; from: number; to: number }[] = []
  boxes.forEach((box, index) => {
    const last = groups.at(-1)
    if (last?.node === box.node) last.to = index
    else groups.push({ node: box.node, from: index, to: index })
  })
  return groups
}

/** The applications' pods: a sidecar is in the pod of its application, every other hop in one of its own, which is not drawn. */
function podsOf(boxes: readonly Box[]): { from: number; to: number }[] {
  const last = boxes.length - 1
  const shares = (index: number, role: Hop['role']) => boxes[index]?.hop?.role === role
  return [
    { from: 0, to: shares(1, 'sidecar-outbound') ? 1 : 0 },
    { from: shares(last - 1, 'sidecar-inbound') ? last - 1 : last, to: last },
  ]
}

function heightOf(box: Box | undefined): number {
  return box?.hop?.layer === 'l4' ? 38 : 48
}

/** An L7 hop is a full box with a heavy edge, an L4 hop a slim one with round ends, the application a plain box. */
function drawBox(box: Box, x: number, centre: number, width: number, colour: string): string {
  const layer = box.hop?.layer
  const height = heightOf(box)
  const radius = layer === 'l4' ? 19 : 5
  const stroke = layer === undefined ? 'var(--muted)' : colour
  const strokeWidth = layer === 'l7' ? 3 : layer === 'l4' ? 1.75 : 1.25
  const fill =
    layer === undefined
      ? ''
      : `<rect x="${x}" y="${centre - height / 2}" width="${width}" height="${height}" rx="${radius}" fill="${colour}" fill-opacity="${layer === 'l7' ? 0.16 : 0.07}"/>`
  return (
    `<rect x="${x}" y="${centre - height / 2}" width="${width}" height="${height}" rx="${radius}" fill="var(--paper)" stroke="${stroke}" stroke-width="${strokeWidth}"/>` +
    fill +
    text(x + width / 2, centre - 3, box.badge, 'dg-badge', 'middle') +
    text(x + width / 2, centre + 13, shorten(box.title, Math.floor((width - 10) / 6.4)), 'dg-title', 'middle')
  )
}

interface LegPlace {
  /** Along the path, in px. */
  readonly from: number
  readonly to: number
  /** A point so far along the path, and so far aside of it; and the command that draws a line along it. */
  readonly point: (along: number, aside: number) => string
  readonly run: 'H' | 'V'
  readonly lock: readonly [x: number, y: number]
  readonly words: readonly [x: number, y: number, anchor: Anchor]
}

function drawLeg(leg: LegTransport, { from, to, point, run, lock: [x, y], words }: LegPlace): string {
  const arrow = `<path d="M${point(to - 8, -5)}L${point(to - 1, 0)}L${point(to - 8, 5)}" class="dg-arrow"/>`
  if (securityOf(leg) === 'plain')
    return `<path d="M${point(from, 0)}${run}${to - 2}" class="dg-leg"/>${arrow}`
  const line = (aside: number) => `M${point(from, aside)}${run}${to - 7}`
  return (
    `<path d="${line(-2.5)}${line(2.5)}" class="dg-leg"/>${arrow}` +
    `<path d="M${x + 2},${y + 6}V${y + 3.5}a3,3 0 0 1 6,0V${y + 6}" class="dg-lockbow"/>` +
    `<rect x="${x}" y="${y + 6}" width="10" height="7.5" rx="1.5" class="dg-lockbody"/>` +
    text(words[0], words[1], legTitle[leg], 'dg-lock', words[2])
  )
}

function frame(of: 'node' | 'pod', x: number, y: number, width: number, height: number): string {
  const [radius, kind] = of === 'node' ? [8, 'dg-frame'] : [6, 'dg-pod']
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}" class="${kind}"/>`
}

type Anchor = 'start' | 'middle' | 'end'

function text(x: number, y: number, content: string, kind: string, anchor: Anchor): string {
  return content === ''
    ? ''
    : `<text x="${x}" y="${y}" class="${kind}" text-anchor="${anchor}">${escapeHtml(content)}</text>`
}

function wrap(width: number, height: number, parts: readonly string[], alternative: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" class="diagram" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(alternative)}">${parts.join('')}</svg>`
}

function legWords(leg: LegTransport): string {
  if (leg === 'plain') return 'then in plain text'
  return `then over ${legTitle[leg]}, ${securityOf(leg) === 'plain' ? 'in plain text' : 'encrypted'},`
}
