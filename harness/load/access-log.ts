/**
 * Recorded traffic as a mix of kinds of request: lines of an access log, gathered by how much they moved.
 *
 * Formats: Envoy's default, which Istio's extends by three fields (envoyproxy.io, Access logging; istio.io, Envoy access logs);
 * either as JSON with `bytes_received` and `bytes_sent`; NCSA's combined and common of nginx and Apache, which do not tell
 * what a request's body had.
 */
import { requestKindSchema, type RequestKind } from '../protocol/spec.js'

/** Bytes of bodies that one request moved. */
interface Moved {
  readonly requestBytes: number
  readonly replyBytes: number
}

// A path may have quotes in it: what follows the last fitting one is what counts.
const envoy = /" \d{3} \S+ (?:\S+ \S+ "[^"]*" )?(\d+) (\d+) \d+ /
const combined = /" \d{3} (\d+|-)(?: "|$)/

/** Undefined where a line is of none of the formats. */
export function readLine(line: string): Moved | undefined {
  if (line.startsWith('{')) return readJson(line)
  const byEnvoy = envoy.exec(line)
  if (byEnvoy) return { requestBytes: Number(byEnvoy[1]), replyBytes: Number(byEnvoy[2]) }
  const byOthers = combined.exec(line)
  return byOthers ? { requestBytes: 0, replyBytes: Number(byOthers[1]) || 0 } : undefined
}

function readJson(line: string): Moved | undefined {
  try {
    const { bytes_received, bytes_sent } = JSON.parse(line) as Readonly<Record<string, unknown>>
    const [requestBytes, replyBytes] = [Number(bytes_received), Number(bytes_sent)]
    return Number.isSafeInteger(requestBytes) && Number.isSafeInteger(replyBytes)
      ? { requestBytes, replyBytes }
      : undefined
  } catch {
    return undefined
  }
}

interface Group {
  readonly count: number
  readonly requestBytes: number
  readonly replyBytes: number
}

const { requestBytes: mostRequest, payloadBytes: mostReply } = requestKindSchema.unwrap().shape
const capped = (bytes: number, schema: { readonly maxValue: number | null }) =>
  Math.min(bytes, schema.maxValue ?? Infinity)

/** Gathers lines one after the other, in a room that does not grow with them. */
export class MixOfLog {
  /** By powers of two of what was moved each way. */
  readonly #groups = new Map<string, Group>()
  lines = 0
  /** Lines of no known format. */
  unread = 0
  /** Requests that moved more than a kind may; they are taken as that much. */
  capped = 0

  add(line: string): void {
    if (line.trim() === '') return
    this.lines++
    const moved = readLine(line)
    if (!moved) {
      this.unread++
      return
    }
    const requestBytes = capped(moved.requestBytes, mostRequest)
    const replyBytes = capped(moved.replyBytes, mostReply)
    if (requestBytes < moved.requestBytes || replyBytes < moved.replyBytes) this.capped++
    const key = [requestBytes, replyBytes].map(power).join(' ')
    this.#groups.set(key, joined({ count: 1, requestBytes, replyBytes }, this.#groups.get(key)))
  }

  /** At most so many kinds, the most frequent first; what they move together is what the log's requests did. */
  kinds(most: number): readonly RequestKind[] {
    let groups = [...this.#groups.values()]
    while (groups.length > most) {
      // The rarest goes to its nearest neighbour.
      const rarest = groups.reduce((least, group) => (group.count < least.count ? group : least))
      const others = groups.filter((group) => group !== rarest)
      const nearest = others.reduce((near, group) =>
        distance(group, rarest) < distance(near, rarest) ? group : near,
      )
      groups = [...others.filter((group) => group !== nearest), joined(rarest, nearest)]
    }
    return groups
      .sort((a, b) => b.count - a.count)
      .map(({ count, requestBytes, replyBytes }) => ({
        share: count,
        requestBytes: Math.round(requestBytes / count),
        payloadBytes: Math.round(replyBytes / count),
      }))
  }
}

const power = (bytes: number) => Math.ceil(Math.log2(bytes + 1))

const joined = (a: Group, b: Group = { count: 0, requestBytes: 0, replyBytes: 0 }): Group => ({
  count: a.count + b.count,
  requestBytes: a.requestBytes + b.requestBytes,
  replyBytes: a.replyBytes + b.replyBytes,
})

/** In doublings of what one request moves, each way. */
function distance(a: Group, b: Group): number {
  const apart = (of: (group: Group) => number) =>
    Math.abs(Math.log2(of(a) / a.count + 1) - Math.log2(of(b) / b.count + 1))
  return apart(({ requestBytes }) => requestBytes) + apart(({ replyBytes }) => replyBytes)
}
