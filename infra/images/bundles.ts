/**
 * Gives every platform the same four bundles, so that what runs on a laptop is what runs in a pod.
 *
 * From a checkout they are built from source on demand; in the published package they lie ready.
 */
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError, exitCodes, messageOf } from '../../harness/model/errors.js'

export const imageNames = ['echo', 'tunnel', 'proxy', 'loadgen'] as const
export type ImageName = (typeof imageNames)[number]

/** One bundled program: an absolute path, and the SHA-256 of its bytes in hex. */
export interface ImageBundle {
  readonly image: ImageName
  readonly path: string
  readonly sha256: string
}

export type ImageBundles = Readonly<Record<ImageName, ImageBundle>>

/** Sources of the images, or their ready bundles in the published package. */
const imagesRoot = fileURLToPath(new URL('.', import.meta.url))

/** CommonJS dependencies call `require`, which an ES module has to make for them. */
const banner = `import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);`

/**
 * Bundles one image's `main.ts` into one ES module that plain node runs.
 *
 * Returns the bundle's text. Throws esbuild's error, which names file and line, when the source does not build.
 */
export async function bundleSource(entry: string): Promise<string> {
  const { build } = await import('esbuild')
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: banner },
    legalComments: 'none',
    logLevel: 'silent',
    // Paths of the machine that built it must not change the bundle's hash.
    absWorkingDir: dirname(entry),
    // Nor where its packages really lie, when a copy of the sources borrows them.
    preserveSymlinks: true,
  })
  const [file] = result.outputFiles
  if (!file) throw new Error(`esbuild made no output for ${entry}`)
  return file.text
}

/** Where files that were fetched or made ahead are kept: `MESHBENCH_CACHE`, or the user's cache folder. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return env.MESHBENCH_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'meshbench')
}

/** Where bundles are kept by their content: in the checkout, or in the cache of a user who may not write there. */
export const bundleStore = join(storeRoot(fileURLToPath(new URL('../..', import.meta.url))), 'images')

function storeRoot(checkout: string): string {
  const inCheckout = join(checkout, 'build')
  try {
    accessSync(existsSync(inCheckout) ? inCheckout : checkout, constants.W_OK)
    return inCheckout
  } catch {
    return defaultCacheDir()
  }
}

/**
 * The bundles of all images, built into `outDir` when the sources are at hand. The file name carries the hash, so that
 * a run that is going on keeps its programs when another run builds newer ones.
 */
export async function imageBundles(outDir = bundleStore): Promise<ImageBundles> {
  const bundles = await Promise.all(imageNames.map((image) => imageBundle(image, imagesRoot, outDir)))
  return Object.fromEntries(bundles.map((bundle) => [bundle.image, bundle])) as Record<ImageName, ImageBundle>
}

/** One image's bundle from a folder of sources (`<root>/<image>/main.ts`) or of ready bundles (`<root>/<image>.mjs`). */
export async function imageBundle(image: ImageName, root: string, outDir: string): Promise<ImageBundle> {
  const ready = join(root, `${image}.mjs`)
  const entry = join(root, image, 'main.ts')
  if (!existsSync(entry)) {
    const text = await readFile(ready, 'utf8')
    return { image, path: ready, sha256: sha256(text) }
  }
  return storeBundle(image, await bundleSource(entry), outDir)
}

/** Path of a bundle in the store, whether it is there or not. */
export function storedPath(image: ImageName, hash: string, outDir = bundleStore): string {
  return join(outDir, `${image}-${hash.slice(0, 12)}.mjs`)
}

/** Keeps a bundle under the hash of its content. Throws a `UserError` where it cannot be kept. */
export async function storeBundle(
  image: ImageName,
  text: string,
  outDir = bundleStore,
): Promise<ImageBundle> {
  const hash = sha256(text)
  const path = storedPath(image, hash, outDir)
  try {
    if (!existsSync(path)) {
      await mkdir(outDir, { recursive: true })
      // Another process may be building the same: an atomic rename leaves a whole file either way.
      const partial = `${path}.${process.pid}.partial`
      await writeFile(partial, text)
      await rename(partial, path)
    }
  } catch (error) {
    throw new UserError(`the bundle of ${image} cannot be kept in ${outDir}: ${messageOf(error)}`, {
      hint: 'name a folder that this user may write to with MESHBENCH_CACHE',
      exitCode: exitCodes.hostLacks,
      cause: error,
    })
  }
  return { image, path, sha256: hash }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
