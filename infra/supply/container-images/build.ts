/** Builds the container images of this repository's programs, once per content, with nothing but an engine's API. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type Docker from 'dockerode'
import { UserError, messageOf } from '../../../harness/model/errors.js'
import { findProgram } from '../../../harness/process/exec.js'
import type { Workload } from '../../../harness/model.js'
import { imageArchive } from '../pull.js'
import { imageBundles, imageNames, type ImageName } from '../../images/bundles.js'
import { assembleBase, assembleProgram, hashOf, programFiles, type AssembledImage } from './base.js'
import { tarStream } from './tar.js'

export interface BuiltImage {
  /** `meshbench/<image>:<hash>`: the hash is over the bundle, the base and the Dockerfile. */
  readonly reference: string
}

export interface ContainerImages {
  /** Reference of the base by digest, or of the one that was assembled. */
  readonly base: string
  readonly images: Readonly<Record<ImageName, BuiltImage>>
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

/** Makes sure that the engine has all four images. Builds only those whose content it has not seen. */
export async function buildImages(docker: Docker, options: BuildOptions): Promise<ContainerImages> {
  const bundles = await imageBundles()
  const base = options.baseImage ?? (await importBase(docker))
  let from = base
  if (options.baseImage !== undefined) {
    const hint =
      'load it into the engine yourself, or leave platformSettings.docker.baseImage out to assemble one from node'
    from = await provideImage(docker, options.baseImage, hint)
  }
  const dockerfile = await readFile(join(fileURLToPath(new URL('.', import.meta.url)), 'Dockerfile'), 'utf8')
  const images: Partial<Record<ImageName, BuiltImage>> = {}
  for (const image of imageNames) {
    const { path, sha256 } = bundles[image]
    const reference = imageReference(image, sha256, base, dockerfile)
    if (!(await isPresent(docker, reference))) {
      const context = tarStream([
        { name: 'Dockerfile', mode: 0o644, content: dockerfile },
        { name: `${image}.mjs`, mode: 0o644, content: await readFile(path) },
      ])
      await follow(
        docker,
        await docker.buildImage(context, {
          t: reference,
          buildargs: { BASE: from, IMAGE: image, BUNDLE_SHA256: sha256, VERSION: options.version },
          rm: true,
          forcerm: true,
        }),
        `build of ${reference}`,
      )
    }
    images[image] = { reference }
  }
  const built = images as Record<ImageName, BuiltImage>
  return { base, images: { ...built, loadgen: await provideGenerator(docker, built.loadgen, options) } }
}

/** The generator's image: its own, the one that is named, or its own with the tools that it has to run. */
async function provideGenerator(
  docker: Docker,
  own: BuiltImage,
  { generatorImage, tools = [], baseImage }: BuildOptions,
): Promise<BuiltImage> {
  if (generatorImage !== undefined) {
    const hint = 'load it into the engine yourself, or leave generatorImage out'
    return { reference: await provideImage(docker, generatorImage, hint) }
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
  const reference = `${own.reference.replace('/loadgen:', '/loadgen-tools:')}-${hashOf(files).slice(0, 8)}`
  if (await isPresent(docker, reference)) return { reference }
  const context = tarStream([
    { name: 'Dockerfile', mode: 0o644, content: `FROM ${own.reference}\nCOPY tools/ /\n` },
    ...[...files].map(([path, content]) => ({ name: `tools${path}`, mode: 0o755, content })),
  ])
  await follow(
    docker,
    await docker.buildImage(context, { t: reference, rm: true, forcerm: true }),
    `build of ${reference}`,
  )
  return { reference }
}

/** Reference of one of this repository's programs: the image built here, or the one that a variant names, pulled unless it is there. */
export async function provideOwnImage(
  docker: Docker,
  { image, build }: Extract<Workload['program'], { kind: 'image' }>,
  { images }: ContainerImages,
): Promise<string> {
  if (build === undefined) return images[image].reference
  if (!('reference' in build)) throw new Error(`a bundle of ${image} cannot run in a container here`)
  return provideImage(
    docker,
    build.reference,
    'load it into the engine yourself, or name another image in --variant',
  )
}

/**
 * Reference of an image that holds a program: the one that the platform's settings name, pulled unless it is there, or
 * one that is assembled from the program's file on this machine.
 */
export async function provideProgramImage(
  docker: Docker,
  program: { readonly name: string; readonly argv: readonly string[] },
  configuredImages: Readonly<Partial<Record<string, string>>>,
): Promise<string> {
  const { name, argv } = program
  const configured = configuredImages[name]
  const hint = `name an image of ${name} by digest in the platform's settings: programImages.${name}`
  if (configured === undefined) {
    return importImage(
      docker,
      `meshbench/${name}-program`,
      await assembleProgram({ name, file: argv[0] ?? name, hint }),
    )
  }
  return provideImage(
    docker,
    configured,
    `load it into the engine yourself, or leave programImages.${name} out`,
  )
}

const importBase = async (docker: Docker) => importImage(docker, 'meshbench/node-base', await assembleBase())

async function importImage(docker: Docker, repository: string, image: AssembledImage): Promise<string> {
  const tag = image.sha256.slice(0, 16)
  const reference = `${repository}:${tag}`
  if (await isPresent(docker, reference)) return reference
  const progress = await docker.importImage(image.archive(), {
    repo: repository,
    tag,
    changes: image.changes,
  })
  await follow(docker, progress, `import of ${reference}`)
  return reference
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
  docker: Docker,
  reference: string,
  hint: string,
  cacheDir?: string,
): Promise<string> {
  if (await isPresent(docker, reference)) return reference
  const archive = await imageArchive(reference, cacheDir)
  if (archive) {
    await follow(docker, await docker.loadImage(archive.file), `load of ${archive.file}`)
    return archive.tag
  }
  try {
    await follow(docker, await docker.pull(reference), `pull of ${reference}`)
    return reference
  } catch (error) {
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

/** Waits for the end of a build, import or pull. The API answers 200 and puts errors into the stream. */
async function follow(docker: Docker, stream: NodeJS.ReadableStream, title: string): Promise<void> {
  const log: string[] = []
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error: Error | null) => {
        if (error) reject(new Error(`${title} failed: ${error.message}\n${log.slice(-20).join('')}`))
        else resolve()
      },
      (event: { stream?: string; error?: string }) => {
        if (event.stream !== undefined) log.push(event.stream)
      },
    )
  })
}
