/**
 * Says what a run will download and downloads it ahead, so that a host without a network can be prepared from one
 * that has one. The list is pure; only `pullAhead` touches network and disk.
 */
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { UserError, messageOf } from '../../harness/model/errors.js'
import { run as runCommand, type RunOptions, type RunResult } from '../../harness/process/exec.js'
import { makeFolder } from '../../harness/process/folders.js'
import { defaultCacheDir } from '../images/bundles.js'
import { hashFile } from './binaries.js'
import { saveArchive } from './save-images.js'
import { pinnedReference, unknownDigest } from './versions.js'
import type {
  ChartPin,
  Downloads,
  HostPlatform,
  ImagePin,
  NeededDownloads,
  ToolPin,
} from '../../harness/model.js'

export { defaultCacheDir } from '../images/bundles.js'

/** Registry or URL prefix → what to fetch from instead, for example `docker.io` → `mirror.example/dockerhub`. */
export type Mirrors = Readonly<Record<string, string>>

export interface PullItem {
  readonly kind: 'tool' | 'image' | 'chart' | 'manifest'
  readonly name: string
  readonly version: string
  /** Where it is fetched from, mirrors applied; for images a reference with tag and, where known, digest. */
  readonly source: string
  /** SHA-256 of the file, digest of the image, or `unknown`. */
  readonly digest: string
  /** What needs it, for the listing. */
  readonly neededBy: string
  /** Path below the cache folder. */
  readonly cachePath: string
  /** Images only: the tag that clusters know it by, whatever mirror it came from. */
  readonly tag?: string
}

/** Everything that is needed, each once, in the order of need. */
export function listPulls(
  needed: readonly NeededDownloads[],
  options: { readonly hostPlatform?: HostPlatform; readonly mirrors?: Mirrors } = {},
): readonly PullItem[] {
  // Charts, manifests and images are the same for all.
  const { hostPlatform = 'linux/amd64', mirrors = {} } = options
  const items = needed.flatMap(({ neededBy, tools = [], manifests = [], charts = [], images = [] }) => [
    ...tools.map((tool) => toolItem(tool, hostPlatform, neededBy, mirrors)),
    ...manifests.map((manifest) =>
      fileItem('manifest', manifest, mirroredUrl(manifest.url, mirrors), neededBy),
    ),
    ...charts.map((chart) => fileItem('chart', chart, mirroredUrl(chart.repository, mirrors), neededBy)),
    ...images.map((image) => imageItem(image, neededBy, mirrors)),
  ])
  const seen = new Map<string, PullItem>()
  for (const item of items) {
    const first = seen.get(item.cachePath)
    seen.set(item.cachePath, first ? { ...first, neededBy: `${first.neededBy}, ${item.neededBy}` } : item)
  }
  return [...seen.values()]
}

/** The listing of `meshbench pull --list`: one line per item, unpinned ones marked. */
export function renderPulls(items: readonly PullItem[]): string {
  if (items.length === 0) return 'nothing to pull: these meshes and this platform need no download\n'
  const widest = Math.max(...items.map(({ name, version }) => `${name} ${version}`.length))
  const lines = items.map(({ kind, name, version, source, digest, neededBy }) => {
    const pin = digest === unknownDigest ? 'NOT PINNED' : digest.replace(/^sha256:/, '').slice(0, 12)
    return `${kind.padEnd(8)} ${`${name} ${version}`.padEnd(widest)}  ${pin.padEnd(12)}  ${source}  (${neededBy})`
  })
  const unpinned = items.filter(({ digest }) => digest === unknownDigest).length
  const note =
    unpinned === 0 ? '' : `${unpinned} of ${items.length} have no known digest and are not verified.\n`
  return `${lines.join('\n')}\n${note}`
}

/** A reference with its registry replaced by the longest prefix that a mirror is named for. */
export function mirrored(reference: string, mirrors: Mirrors): string {
  const prefix = Object.keys(mirrors)
    .filter((candidate) => reference === candidate || reference.startsWith(`${candidate}/`))
    .sort((a, b) => b.length - a.length)[0]
  return prefix === undefined ? reference : `${mirrors[prefix]}${reference.slice(prefix.length)}`
}

/** A URL whose host, or longer prefix, has a mirror; the mirror may name a scheme of its own. */
export function mirroredUrl(url: string, mirrors: Mirrors): string {
  const [scheme = '', rest = ''] = url.split(/(?<=:\/\/)/)
  const replaced = mirrored(rest, mirrors)
  return replaced.includes('://') ? replaced : `${scheme}${replaced}`
}

/** The command that fetches everything for these meshes; without their names it would leave out what they need. */
export function pullCommandFor(platform: string, meshes: readonly string[] = []): string {
  return [`meshbench pull --platform ${platform}`, ...meshes.map((mesh) => `--mesh ${mesh}`)].join(' ')
}

/** Whether helm installs it, cluster-wide resources included. */
export function hasCharts({ charts = [] }: Downloads): boolean {
  return charts.length > 0
}

/** What to do on a host without a network. */
export function pullAheadRemedy(command: string): string {
  return `run \`${command}\` on a host with a network and copy its cache here`
}

/** `reference@digest`, or a reference alone. */
export function asPin(image: string): ImagePin {
  const [reference = image, digest = unknownDigest] = image.split('@')
  return { reference, digest }
}

/** The archive of an image that was pulled ahead, and the tag that it is known by when it has been loaded. */
export async function imageArchive(
  image: string,
  cacheDir = defaultCacheDir(),
): Promise<{ readonly file: string; readonly tag: string } | undefined> {
  const pin = asPin(image)
  const file = join(cacheDir, imageItem(pin, '', {}).cachePath)
  return (await isFilled(file)) ? { file, tag: pin.reference } : undefined
}

/**
 * Where the cache has what a mesh is installed from. An archive that is named by its tag alone was laid there by hand, as on a
 * host without a registry, or by an earlier version: of what this version names itself a tag has one image.
 */
export async function inCache(item: PullItem, cacheDir: string): Promise<string | undefined> {
  const byTag = item.tag === undefined ? [] : [archivePath(item.tag)]
  for (const path of [item.cachePath, ...byTag]) {
    const file = join(cacheDir, path)
    if (await isFilled(file)) return file
  }
  return undefined
}

const archivePath = (reference: string) => join('images', `${reference.replaceAll(/[/:@]/g, '_')}.tar`)

/** Whether a file is there whole: what is still downloaded lies under another name. */
export async function isFilled(file: string): Promise<boolean> {
  return stat(file).then(
    ({ size }) => size > 0,
    () => false,
  )
}

/** A program as its publisher gives it; `helm` comes in an archive. */
export function toolItem(
  tool: ToolPin,
  hostPlatform: HostPlatform,
  neededBy = 'the platform',
  mirrors: Mirrors = {},
): PullItem {
  return {
    kind: 'tool',
    name: tool.name,
    version: tool.version,
    source: mirroredUrl(tool.url(hostPlatform), mirrors),
    digest: tool.sha256[hostPlatform] ?? unknownDigest,
    neededBy,
    cachePath: join('tools', `${tool.name}-${tool.version}-${hostPlatform.replace('/', '-')}`),
  }
}

function imageItem(image: ImagePin, neededBy: string, mirrors: Mirrors): PullItem {
  const [name = '', version = 'latest'] = image.reference.split(/:(?=[^:/]*$)/)
  return {
    kind: 'image',
    name,
    version,
    source: mirrored(pinnedReference(image), mirrors),
    digest: image.digest,
    neededBy,
    // By its digest, too: an archive holds none, and another image may have had this tag.
    cachePath: archivePath(pinnedReference(image)),
    tag: image.reference,
  }
}

/** A file that is named for what it is of. */
function fileItem(
  kind: 'chart' | 'manifest',
  { name, version, sha256 }: Pick<ChartPin, 'name' | 'version' | 'sha256'>,
  source: string,
  neededBy: string,
): PullItem {
  const cachePath = join(`${kind}s`, `${name}-${version}.${kind === 'chart' ? 'tgz' : 'yaml'}`)
  return { kind, name, version, source, digest: sha256, neededBy, cachePath }
}

export interface PullOptions {
  readonly cacheDir: string
  readonly hostPlatform: HostPlatform
  /** `docker` or `podman`. */
  readonly engine?: string
  /** Path of helm, which fetches charts. */
  readonly helm?: string
  /** Replaced in tests. */
  readonly run?: (argv: readonly string[], options?: RunOptions) => Promise<RunResult>
  readonly fetch?: (url: string, options: { readonly signal: AbortSignal }) => Promise<Response>
  /** Shorter in tests. */
  readonly timeoutMs?: number
  readonly note?: (text: string) => void
}

/**
 * Puts every item into the cache, or leaves it when it is there and its digest is right. Images become archives that
 * `kind load image-archive` takes. Returns their paths. Throws `UserError` for a download whose digest is wrong; nothing of it is kept.
 */
export async function pullAhead(
  items: readonly PullItem[],
  options: PullOptions,
): Promise<readonly string[]> {
  const files: string[] = []
  for (const item of items) {
    const file = join(options.cacheDir, item.cachePath)
    const cached = await isCached(item, file)
    options.note?.(`${cached ? 'have' : 'pull'} ${item.kind} ${item.name} ${item.version}`)
    if (!cached) await pullOne(item, file, options)
    files.push(file)
  }
  return files
}

async function isCached(item: PullItem, file: string): Promise<boolean> {
  if (!(await isFilled(file))) return false
  // An image's digest is over its manifest, not over the archive, so an archive is taken as it was saved.
  if (item.kind === 'image' || item.digest === unknownDigest) return true
  return (await hashFile(file)) === item.digest
}

async function pullOne(item: PullItem, file: string, options: PullOptions): Promise<void> {
  makeFolder(dirname(file))
  await removeAbandoned(file)
  // Of its own: another process may be fetching the same.
  const partial = `${file}.${process.pid}${partialEnding}`
  try {
    if (item.kind === 'image') await pullImage(item, partial, options)
    else if (item.kind === 'chart') await pullChart(item, partial, options)
    else await download(item.source, partial, options)
    if (item.kind !== 'image' && item.digest !== unknownDigest) {
      const found = await hashFile(partial)
      if (found !== item.digest) {
        throw new UserError(
          `${item.name} ${item.version} from ${item.source} has SHA-256 ${found}, not ${item.digest}.`,
          {
            hint: 'Something between here and its publisher changed it. Nothing was kept; try another network or mirror.',
          },
        )
      }
    }
    await rename(partial, file)
  } finally {
    await rm(partial, { force: true })
  }
}

const pullTimeoutMs = 15 * 60_000
const partialEnding = '.partial'

/** What killed processes have left of a file: nobody writes to it any more. */
async function removeAbandoned(file: string): Promise<void> {
  for (const name of await readdir(dirname(file))) {
    if (!name.startsWith(`${basename(file)}.`) || !name.endsWith(partialEnding)) continue
    const partial = join(dirname(file), name)
    const isOld = await stat(partial).then(
      ({ mtimeMs }) => Date.now() - mtimeMs > pullTimeoutMs,
      () => false,
    )
    if (isOld) await rm(partial, { force: true })
  }
}

async function pullImage(item: PullItem, file: string, options: PullOptions): Promise<void> {
  const { engine = 'docker', run = runCommand } = options
  const platform = options.hostPlatform.replace('darwin', 'linux')
  const tag = item.tag ?? item.source
  // Pulling by digest is what verifies the image; the tag is only the name that clusters look for.
  await run([engine, 'pull', '--quiet', '--platform', platform, item.source], { timeoutMs: pullTimeoutMs })
  if (item.source !== tag) await run([engine, 'tag', item.source, tag])
  await saveArchive({ engine, file, references: [tag], platform }, (argv) =>
    run(argv, { timeoutMs: pullTimeoutMs }),
  )
}

/** Arguments that name a chart to helm, and where it is. */
export function chartArguments({ name, version, source }: PullItem): readonly string[] {
  const from = source.startsWith('oci://') ? [`${source}/${name}`] : [name, '--repo', source]
  return [...from, '--version', version]
}

async function pullChart(item: PullItem, file: string, options: PullOptions): Promise<void> {
  const { run = runCommand, helm = 'helm' } = options
  const folder = `${file}.d`
  const argv = [helm, 'pull', ...chartArguments(item), '--destination', folder]
  try {
    await run(argv, { timeoutMs: pullTimeoutMs })
    await rename(join(folder, `${item.name}-${item.version}.tgz`), file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function download(url: string, file: string, options: PullOptions): Promise<void> {
  const signal = AbortSignal.timeout(options.timeoutMs ?? pullTimeoutMs)
  const get = async () => {
    const response = await (options.fetch ?? fetch)(url, { signal })
    return { response, content: response.ok ? Buffer.from(await response.arrayBuffer()) : Buffer.alloc(0) }
  }
  const { response, content } = await get().catch((error: Error) => {
    // Node's own words for every failure of the network are 'fetch failed' and 'terminated'.
    throw new UserError(`${url} cannot be fetched: ${messageOf(error.cause ?? error)}.`, {
      hint: 'Pull on a host with a network and copy the cache folder, or name a mirror in the config.',
      cause: error,
    })
  })
  if (!response.ok) {
    throw new UserError(`${url} answered ${response.status}.`, {
      hint: 'Name a mirror in the config, or try later.',
    })
  }
  await writeFile(file, content)
}
