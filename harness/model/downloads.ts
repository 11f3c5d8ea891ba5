/**
 * What a run downloads, each pinned by version and, where it is known, by digest: SHA-256 in lower-case hex, without a
 * prefix, or `unknown`.
 */

export type HostPlatform = 'linux/amd64' | 'linux/arm64' | 'darwin/arm64'

/** A program that Meshbench runs and can download. */
export interface ToolPin {
  readonly name: string
  readonly version: string
  readonly url: (platform: HostPlatform) => string
  /** Path within the downloaded tar.gz; absent when the download is the program itself. */
  readonly archiveMember?: (platform: HostPlatform) => string
  /** SHA-256 of what `url` gives. A platform that is not listed cannot be downloaded for. */
  readonly sha256: Readonly<Partial<Record<HostPlatform, string>>>
}

/** A container image by tag, and by digest where that is known. */
export interface ImagePin {
  /** With registry and tag, for example `docker.io/istio/pilot:1.31.1`. */
  readonly reference: string
  /** `sha256:…` of the index or manifest, or `unknown`. */
  readonly digest: string
}

export interface ChartPin {
  readonly name: string
  readonly version: string
  readonly repository: string
  readonly sha256: string
}

export interface ManifestPin {
  readonly name: string
  readonly version: string
  readonly url: string
  readonly sha256: string
}

export interface Downloads {
  readonly tools?: readonly ToolPin[]
  readonly manifests?: readonly ManifestPin[]
  readonly charts?: readonly ChartPin[]
  readonly images?: readonly ImagePin[]
}

/** Downloads with who needs them, as a listing names it. */
export interface NeededDownloads extends Downloads {
  readonly neededBy: string
}
