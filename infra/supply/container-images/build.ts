/** Builds the container images of this repository's programs, once per content, with nothing but an engine's API. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type Docker from 'dockerode'
import { defined } from '../../../harness/model/defined.js'
import { UserError, messageOf } from '../../../harness/model/errors.js'
import { findProgram } from '../../../harness/process/exec.js'
import type { Workload } from '../../../harness/model.js'
import { imageArchive } from '../pull.js'
import { imageBundles, imageNames, type ImageName } from '../../images/bundles.js'
import { assembleBase, assembleProgram, hashOf, programFiles, type AssembledImage } from './base.js'
import { tarStream } from './tar.js'

/** An engine that images are brought into, and what ends that before it is done. */
export interface ImageEngine {
  readonly docker: Docker
  readonly signal: AbortSignal
}

export interface ContainerImages {
  /** Reference of the base by digest, or of the one that was assembled. */
  readonly base: string
  /** `meshbench/<image>:<hash>`: the hash is over the bundle, the base and the Dockerfile. */
  readonly images: Readonly<Record<ImageName, string>>
}

export interface BuildOptions {
  /** Base image by digest; without it the base is assembled from the running node. */
  readonly baseImage?: string
  readonly version: string
  /** Load tools of others that the generator runs: from this machine's PATH into its image. */
  readonly tools?: readonly string[]
  /** Image of the generator by digest, which holds `programPath('loadgen')`, node, and the tools that it is to run. */
  readonly generatorImage?: string
}

export function programPath(image: ImageName): string {
  return `/app/${image}.mjs`
}

/** Reference of an image with this content, without building it. */
export function imageReference(
  image: ImageName,
  bundleSha256: string,
  base: string,
  dockerfile: string,
): string {
  const hash = createHash('sha256').update([bundleSha256, base, dockerfile].join('\0')).digest('hex')
  return `meshbench/${image}:${hash.slice(0, 16)}`
}

/**
 * Makes sure that the engine has all four images. Builds only those whose content it has not seen. Like everything here that
 * brings images, it rejects with the signal's reason as soon as that is aborted, and the engine ends what it was asked for.
 */
export async function buildImages(engine: ImageEngine, options: BuildOptions): Promise<ContainerImages> {
  const { docker } = engine
  const bundles = await imageBundles()
  const base = options.baseImage ?? (await importBase(engine))
  let from = base
  if (options.baseImage !== undefined) {
    const hint =
      'load it into the engine yourself, or leave platformSettings.docker.baseImage out to assemble one from node'
    from = await provideImage(engine, options.baseImage, hint)
  }
  const dockerfile = await readFile(join(fileURLToPath(new URL('.', import.meta.url)), 'Dockerfile'), 'utf8')
  const images: Partial<Record<ImageName, string>> = {}
  for (const image of imageNames) {
    const { path, sha256 } = bundles[image]
    const reference = imageReference(image, sha256, base, dockerfile)
    if (!(await isPresent(docker, reference))) {
      const context = tarStream([
        { name: 'Dockerfile', mode: 0o644, content: dockerfile },
        { name: `${image}.mjs`, mode: 0o644, content: await readFile(path) },
      ])
      const buildargs = { BASE: from, IMAGE: image, BUNDLE_SHA256: sha256, VERSION: options.version }
      await build(engine, { reference, context, buildargs, sha256 })
    }
    images[image] = reference
  }
  const built = images as Record<ImageName, string>
  const loadgen = await provideGenerator(engine, built.loadgen, bundles.loadgen.sha256, options)
  return { base, images: { ...built, loadgen } }
}

/** The generator's image: its own, the one that is named, or its own with the tools that it has to run. */
async function provideGenerator(
  engine: ImageEngine,
  own: string,
  sha256: string,
  { generatorImage, tools = [], baseImage }: BuildOptions,
): Promise<string> {
  if (generatorImage !== undefined) {
    const hint = 'load it into the engine yourself, or leave generatorImage out'
    return provideImage(engine, generatorImage, hint)
  }
  if (tools.length === 0) return own
  const hint = "name an image that holds it in the platform's settings: generatorImage"
  const files = new Map<string, Buffer>()
  for (const name of tools) {
    const file = await findProgram(name)
    if (file === undefined) throw new UserError(`${name} is not on the PATH`, { hint })
    for (const [path, content] of await programFiles({ name, file, hint })) files.set(path, content)
  }
  // Libraries of this machine would replace those of a base that is not of this machine.
  if (baseImage !== undefined && files.size > tools.length)
    throw new UserError(
      `${tools.join(', ')} loads libraries of this machine, which ${baseImage} is not made of`,
      { hint },
    )
  const reference = `${own.replace('/loadgen:', '/loadgen-tools:')}-${hashOf(files).slice(0, 8)}`
  if (await isPresent(engine.docker, reference)) return reference
  const context = tarStream([
    { name: 'Dockerfile', mode: 0o644, content: `FROM ${own}\nCOPY tools/ /\n` },
    ...[...files].map(([path, content]) => ({ name: `tools${path}`, mode: 0o755, content })),
  ])
  await build(engine, { reference, context, sha256 })
  return reference
}

/** Reference of one of this repository's programs: the image built here, or the one that a variant names, pulled unless it is there. */
export async function provideOwnImage(
  engine: ImageEngine,
  { image, build: other }: Extract<Workload['program'], { kind: 'image' }>,
  { images }: ContainerImages,
): Promise<string> {
  if (other === undefined) return images[image]
  if (!('reference' in other)) throw new Error(`a bundle of ${image} cannot run in a container here`)
  return provideImage(
    engine,
    other.reference,
    'load it into the engine yourself, or name another image in --variant',
  )
}

/**
 * Reference of an image that holds a program: the one that the platform's settings name, pulled unless it is there, or
 * one that is assembled from the program's file on this machine.
 */
export async function provideProgramImage(
  engine: ImageEngine,
  program: { readonly name: string; readonly argv: readonly string[] },
  configuredImages: Readonly<Partial<Record<string, string>>>,
): Promise<string> {
  const { name, argv } = program
  const configured = configuredImages[name]
  const hint = `name an image of ${name} by digest in the platform's settings: programImages.${name}`
  if (configured === undefined) {
    return importImage(
      engine,
      `meshbench/${name}-program`,
      await assembleProgram({ name, file: argv[0] ?? name, hint }),
    )
  }
  return provideImage(
    engine,
    configured,
    `load it into the engine yourself, or leave programImages.${name} out`,
  )
}

const importBase = async (engine: ImageEngine) =>
  importImage(engine, 'meshbench/node-base', await assembleBase())

async function importImage(engine: ImageEngine, repository: string, image: AssembledImage): Promise<string> {
  const tag = image.sha256.slice(0, 16)
  const reference = `${repository}:${tag}`
  if (await isPresent(engine.docker, reference)) return reference
  await follow(engine, `import of ${reference}`, (abortSignal) =>
    engine.docker.importImage(image.archive(), {
      repo: repository,
      tag,
      changes: image.changes,
      abortSignal,
    }),
  )
  return reference
}

/** Label of the Dockerfile. */
const bundleLabel = 'meshbench.bundle-sha256'
/** A step that is under way when its build is given up ends by itself. */
const stepEndsMs = 250

interface Build {
  readonly reference: string
  readonly context: NodeJS.ReadableStream
  readonly buildargs?: Record<string, string>
  /** Of the bundle that is in it. */
  readonly sha256: string
}

async function build(engine: ImageEngine, { reference, context, buildargs, sha256 }: Build): Promise<void> {
  const steps: string[] = []
  const options = { t: reference, rm: true, forcerm: true, ...defined({ buildargs }) }
  try {
    await follow(
      engine,
      `build of ${reference}`,
      (abortSignal) => engine.docker.buildImage(context, { ...options, abortSignal }),
      (text) => steps.push(...imagesIn(text)),
    )
  } catch (error) {
    await removeUnnamed(engine.docker, steps.at(-1), sha256)
    throw error
  }
}

/** Images of a build's steps, as the engine tells of each that is done. */
const imagesIn = (text: string) => [...text.matchAll(/^ ---> ([0-9a-f]{12,64})$/gm)].map(([, id = '']) => id)

/**
 * What a build that did not end leaves, which has no name: each image takes those of the steps before it along. `last` is the
 * last that the engine told of.
 */
async function removeUnnamed(docker: Docker, last: string | undefined, sha256: string): Promise<void> {
  await sleep(stepEndsMs)
  const filters = { dangling: ['true'], label: [`${bundleLabel}=${sha256}`] }
  const left = await docker.listImages({ filters }).catch(() => [])
  for (const id of [...left.map(({ Id }) => Id), ...(last === undefined ? [] : [last])]) {
    const image = docker.getImage(id)
    try {
      const { RepoTags: tags, RepoDigests: digests } = await image.inspect()
      // A base that was pulled by its digest has no tag.
      if ([...(tags ?? []), ...(digests ?? [])].length === 0) await image.remove()
    } catch {
      // It is gone, or another build goes on from it: then it is not ours to remove.
    }
  }
}

/** Whether the engine has an image. */
async function isPresent(docker: Docker, reference: string): Promise<boolean> {
  return docker
    .getImage(reference)
    .inspect()
    .then(
      () => true,
      (error: unknown) => {
        if ((error as { statusCode?: number }).statusCode === 404) return false
        throw error
      },
    )
}

/**
 * The name by which the engine knows an image: its own, when it is there or could be pulled, or its tag alone, when it was
 * loaded from an archive that was pulled ahead; digests are not in archives.
 */
export async function provideImage(
  engine: ImageEngine,
  reference: string,
  hint: string,
  cacheDir?: string,
): Promise<string> {
  const { docker, signal } = engine
  if (await isPresent(docker, reference)) return reference
  const archive = await imageArchive(reference, cacheDir)
  if (archive) {
    await follow(engine, `load of ${archive.file}`, (abortSignal) =>
      docker.loadImage(archive.file, { abortSignal }),
    )
    return archive.tag
  }
  try {
    await follow(engine, `pull of ${reference}`, (abortSignal) => docker.pull(reference, { abortSignal }))
    return reference
  } catch (error) {
    signal.throwIfAborted()
    throw new UserError(`the image ${reference} could not be pulled: ${messageOf(error)}`, {
      hint,
      cause: error,
    })
  }
}

/** The same image under a tag: archives hold no digests, so that nodes would not find it by one (https://github.com/kubernetes-sigs/kind/issues/2394). */
export async function taggedReference(docker: Docker, reference: string): Promise<string> {
  const [name = '', digest] = reference.split('@sha256:')
  if (digest === undefined) return reference
  const program = name.split('/').at(-1)?.split(':')[0] ?? 'image'
  const [repo, tag] = [`meshbench/${program}-pulled`, digest.slice(-16)]
  await docker.getImage(reference).tag({ repo, tag })
  return `${repo}:${tag}`
}

/**
 * Asks for a build, an import, a load or a pull and waits for its end. The API answers 200 and puts errors into the stream. An
 * engine ends its work when nobody reads on, which the signal is for.
 */
async function follow(
  { docker, signal }: ImageEngine,
  title: string,
  begin: (signal: AbortSignal) => Promise<NodeJS.ReadableStream>,
  onOutput: (line: string) => void = () => {},
): Promise<void> {
  signal.throwIfAborted()
  const log: string[] = []
  let problem: string | undefined
  try {
    const stream = await begin(signal)
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(
        stream,
        (error: Error | null) => (error ? reject(error) : resolve()),
        (event: { stream?: string; error?: string }) => {
          if (event.stream !== undefined) {
            log.push(event.stream)
            onOutput(event.stream)
          }
          problem ??= event.error
        },
      )
    })
  } catch (error) {
    problem = messageOf(error)
  }
  signal.throwIfAborted()
  if (problem !== undefined) throw new Error(`${title} failed: ${problem}\n${log.slice(-20).join('')}`.trim())
}
