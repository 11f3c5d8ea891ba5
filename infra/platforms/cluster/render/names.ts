/** Names and labels of what a run creates on a cluster. */
import { createHash } from 'node:crypto'
import { hostname } from 'node:os'

export const runLabel = 'meshbench.run'
/** On namespaces: the machine whose Meshbench made them. Other machines cannot tell whether its run is still alive. */
export const machineLabel = 'meshbench.machine'
export const componentLabel = 'meshbench.component'
/** On nodes: which part they play; also the key of their taint. */
export const roleLabel = 'meshbench.role'

const maxLength = 63

/** A DNS label (RFC 1123) from any text; a long one keeps its start and gets a hash, so that it stays unique. */
export function dnsLabel(...parts: readonly string[]): string {
  const text = parts.join('-')
  const label = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  if (label.length <= maxLength) return label
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return `${label.slice(0, maxLength - 9)}-${hash}`
}

/** A label's value may hold what a DNS label may, and dots and underscores; the run id is used as it is. */
export function labelValue(text: string): string {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(text) ? text : dnsLabel(text)
}

export const machineName = (): string => labelValue(hostname())
