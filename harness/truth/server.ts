/** Builds, starts and ends the server of known truth, which is compiled so that its own loop adds nothing. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandError, UserError, exitCodes } from '../model/errors.js'
import type { Running } from '../model.js'
import { findProgram, run, start } from '../process/exec.js'
import { packageRoot } from '../process/package-root.js'
import { type TruthLog, parseLog } from './log.js'
import type { Faults } from './scenarios.js'

const compilers = ['cc', 'gcc', 'clang']
const source = 'infra/images/bench/truth/server.c'

/** Compiles it into `folder` and returns the program's path. Throws a `UserError` where that cannot be done. */
export async function buildServer(folder: string, runId: string): Promise<string> {
  if (process.platform !== 'linux')
    throw new UserError('the server of known truth needs Linux: it reads the kernel’s own timestamps', {
      exitCode: exitCodes.hostLacks,
    })
  const program = join(folder, 'truth-server')
  for (const compiler of compilers) {
    if ((await findProgram(compiler)) === undefined) continue
    try {
      await run([compiler, '-O2', '-o', program, await findSource()], { runId })
      return program
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      throw new UserError(`the server of known truth does not compile: ${error.tail.trim()}`, {
        hint: 'it needs the headers of the C library, too (Debian: libc6-dev)',
        exitCode: exitCodes.hostLacks,
        cause: error,
      })
    }
  }
  throw new UserError('the server of known truth has to be compiled, and no C compiler is on the PATH', {
    hint: `install one of ${compilers.join(', ')} (Debian: gcc and libc6-dev); a server in Node would add its own loop to the truth`,
    exitCode: exitCodes.hostLacks,
  })
}

async function findSource(): Promise<string> {
  for (const root of [packageRoot, join(packageRoot, 'dist')]) {
    const file = join(root, source)
    if (await readFile(file).then(Boolean, () => false)) return file
  }
  throw new Error(`${source} is not there: the installation is incomplete`)
}

export interface TruthServer {
  readonly host: string
  readonly port: number
  /** Ends it and returns what was true. */
  end(): Promise<TruthLog>
}

export async function startServer(
  program: string,
  faults: Faults,
  { folder, runId }: { readonly folder: string; readonly runId: string },
): Promise<TruthServer> {
  const file = join(folder, 'truth.log')
  const words = Object.entries(faults).map(([name, value]) => `${name}=${value}`)
  const child = start({ argv: [program, 'serve', file, ...words] }, { runId })
  const lines = child.lines[Symbol.asyncIterator]()
  const { port } = JSON.parse(await nextLine(child, lines)) as { port: number }
  // The queue of its listener is full: the first SYN of the tool will be dropped.
  if (faults.hold) await nextLine(child, lines)
  return {
    host: faults.ipv6 ? '::1' : '127.0.0.1',
    port,
    async end() {
      child.kill('SIGTERM')
      const { code, signal, tail } = await child.exited
      if (code !== 0) throw new Error(`the server of known truth ended with ${code ?? signal}: ${tail}`)
      return parseLog(await readFile(file))
    },
  }
}

async function nextLine(child: Running, lines: AsyncIterator<string>): Promise<string> {
  const next = await lines.next()
  if (next.done !== true) return next.value
  const { code, signal, tail } = await child.exited
  throw new Error(`the server of known truth ended with ${code ?? signal}: ${tail}`)
}
