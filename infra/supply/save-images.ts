/** Saves images as an archive that nodes can load. */
import { CommandError } from '../../harness/model/errors.js'

/** What Docker before 28 and Podman say of the option. */
const knowsNoPlatform = /unknown flag: --platform|"--platform" requires API version/

/**
 * One platform's images: an engine that keeps its images in containerd would write down all that an index names, and have the
 * contents of one (https://github.com/kubernetes-sigs/kind/issues/3795). `run` is what runs the command.
 */
export async function saveArchive(
  {
    engine,
    file,
    references,
    platform,
  }: {
    readonly engine: string
    readonly file: string
    readonly references: readonly string[]
    /** For example `linux/amd64`. */
    readonly platform: string
  },
  run: (argv: readonly string[]) => Promise<unknown>,
): Promise<void> {
  const save = (...flags: readonly string[]) =>
    run([engine, 'save', ...flags, '--output', file, ...references])
  try {
    await save('--platform', platform)
  } catch (error) {
    if (!(error instanceof CommandError && knowsNoPlatform.test(error.tail))) throw error
    await save()
  }
}

/** What containers of this machine's engine run as. */
export const containerPlatform = `linux/${{ x64: 'amd64' }[process.arch as string] ?? process.arch}`
