/**
 * Assembles images from programs of this machine and the libraries they load, so that containers need no registry and
 * run the very files that the local platform runs.
 */
import { createHash } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import { run } from '../../../harness/process/exec.js'
import { UserError, messageOf } from '../../../harness/model/errors.js'
import { tarStream, type TarEntry } from './tar.js'
import type { Readable } from 'node:stream'

export interface AssembledImage {
  /** SHA-256 over the names and contents of all files, in hex. */
  readonly sha256: string
  /** What the image needs beside its files. Docker `import` takes them as Dockerfile instructions. */
  readonly changes: readonly string[]
  readonly archive: () => Readable
}

/** glibc opens these at run time for name resolution, so that `ldd` does not name them (before glibc 2.34). */
const resolverLibraries = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2']

/** Reads the running node and its libraries. Throws a `UserError` where node is not a dynamic Linux binary. */
export function assembleBase(): Promise<AssembledImage> {
  return assembleProgram({
    name: 'node',
    file: process.execPath,
    hint: 'name a base image by digest: platformSettings.docker.baseImage, for example node:20-bookworm-slim@sha256:…',
  })
}

export interface ProgramFile {
  /** What it is called in the image. */
  readonly name: string
  /** Its file on this machine. */
  readonly file: string
  /** What to do where it cannot be assembled. */
  readonly hint: string
}

/** Reads a program and its libraries. Throws a `UserError` where it is no Linux binary. */
export async function assembleProgram(program: ProgramFile): Promise<AssembledImage> {
  const files = await programFiles(program)
  return {
    sha256: hashOf(files),
    changes: ['ENV PATH=/usr/local/bin', 'WORKDIR /app', `ENTRYPOINT ["${program.name}"]`],
    archive: () => tarStream(baseEntries(files)),
  }
}

/** SHA-256 in hex over the names and contents of files. */
export function hashOf(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256')
  for (const [path, content] of files) hash.update(`${path}\0${content.length}\0`).update(content)
  return hash.digest('hex')
}

/** A program and what it loads: path in the image → content. One that is linked statically comes alone. */
export async function programFiles({ name, file, hint }: ProgramFile): Promise<ReadonlyMap<string, Buffer>> {
  if (process.platform !== 'linux') {
    throw new UserError(`an image of ${name} cannot be assembled on ${process.platform}`, { hint })
  }
  const program = await realpath(file)
  const libraries = await librariesOf(program, hint)
  const optional =
    libraries.length === 0
      ? []
      : resolverLibraries.map((library) => `${folderOf(libraries, 'libc.so.6')}/${library}`)
  const files = new Map<string, Buffer>([[`/usr/local/bin/${name}`, await readFile(program)]])
  for (const path of libraries) files.set(path, await readFile(path))
  for (const path of optional) {
    const content = await readFile(path).catch(() => undefined)
    if (content) files.set(path, content)
  }
  return files
}

async function librariesOf(program: string, hint: string): Promise<readonly string[]> {
  try {
    return parseLdd((await run(['ldd', program])).stdout)
  } catch (error) {
    const said = `${messageOf(error)} ${(error as { tail?: string }).tail ?? ''}`
    // So ldd speaks, and fails, where there is nothing to load.
    if (/not a dynamic executable/.test(said) && (await isElf(program))) return []
    throw new UserError(`the libraries of ${program} cannot be told: ${messageOf(error)}`, {
      hint,
      cause: error,
    })
  }
}

async function isElf(path: string): Promise<boolean> {
  return (await readFile(path)).subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'))
}

/** Absolute paths of the shared objects that `ldd` names, the loader included. */
export function parseLdd(text: string): readonly string[] {
  const missing = /^\s*(\S+) => not found/m.exec(text)
  if (missing) throw new Error(`the program needs ${missing[1]}, which is not installed`)
  const paths = text.split('\n').flatMap((line) => {
    const match = /(?:=>\s+|^\s*)(\/\S+)\s+\(0x/.exec(line)
    return match?.[1] === undefined ? [] : [match[1]]
  })
  return [...new Set(paths)].sort()
}

/** Folders first, then files; owned by root and not writable by the user that runs. */
export function* baseEntries(files: ReadonlyMap<string, Uint8Array>): Generator<TarEntry> {
  const folders = new Set<string>(['app/', 'etc/'])
  for (const path of files.keys()) {
    const parts = path.split('/').slice(1, -1)
    parts.forEach((_, index) => folders.add(`${parts.slice(0, index + 1).join('/')}/`))
  }
  for (const name of [...folders].sort()) yield { name, mode: 0o755 }
  yield { name: 'tmp/', mode: 0o1777 }
  yield {
    name: 'etc/passwd',
    mode: 0o644,
    content: 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n',
  }
  yield { name: 'etc/group', mode: 0o644, content: 'root:x:0:\nnonroot:x:65532:\n' }
  yield { name: 'etc/nsswitch.conf', mode: 0o644, content: 'hosts: files dns\n' }
  for (const [path, content] of files) yield { name: path.slice(1), mode: 0o755, content }
}

function folderOf(libraries: readonly string[], name: string): string {
  const path = libraries.find((library) => library.endsWith(`/${name}`))
  return path === undefined ? '/lib' : path.slice(0, path.lastIndexOf('/'))
}
