/** Writes manifests and Helm values: plain YAML, one style, so that golden files read well and diffs are small. */
import { stringify } from 'yaml'

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

export const manifest = (
  apiVersion: string,
  kind: string,
  metadata: Manifest['metadata'],
  spec: object,
): Manifest => ({ apiVersion, kind, metadata, spec })

/** Documents separated by `---`. */
export function toYaml(documents: readonly object[]): string {
  // Aliases are legal YAML, but some of kubectl's readers and all human ones do better without.
  return documents
    .map((document) => stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 }))
    .join('---\n')
}
