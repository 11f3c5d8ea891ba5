/** Drives the real command line as a user would, in a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { run, start, type RunResult } from '../process/exec.js'
import { readJournal, type Journal } from '../run/journal.js'
import { lockVariable } from '../process/state.js'
import type { Running } from '../model.js'
import { packageRoot } from '../process/package-root.js'

/**
 * As the package's scripts do it. tsx's own command would stand between: it kills a program that does not tell it of a
 * signal within 30 ms, which a busy one cannot, and what it had created would be left running.
 */
const tsx = pathToFileURL(join(packageRoot, 'node_modules/tsx/dist/loader.mjs')).href
const fromSource = (root: string) => [process.execPath, '--import', tsx, join(root, 'harness/cli.ts')]

/** Where `compile-cli.ts` put the compiled command line. Without it, as in benches, it runs from source. */
export const compiledCliVariable = 'MESHBENCH_COMPILED_CLI'

function commandLine(): readonly string[] {
  const compiled = process.env[compiledCliVariable]
  return compiled === undefined ? fromSource(packageRoot) : [process.execPath, compiled]
}

/** Limits so wide that a busy machine does not make a trial invalid: these tests are about behaviour, not figures. */
const anyMachine = {
  minAchievedShare: 0.2,
  maxSendLagP99Us: 5_000_000,
  maxGeneratorCpuShare: 4,
  maxErrorShare: 1,
  maxStealShare: 1,
  maxForeignCpuShare: 1,
  maxBusyShare: 1,
}

/** A folder that is there from its first use on, so that one which only skipped tests would have used leaves nothing. */
export interface Workspace {
  path(name: string): string
  /** Writes bench.config.ts; the object is its default export. */
  writeConfig(config: object): void
  meshbench(...args: string[]): Promise<RunResult>
  /** The same, with variables of the environment changed. */
  meshbenchWith(env: Readonly<Record<string, string>>, ...args: string[]): Promise<RunResult>
  startMeshbench(...args: string[]): Running
  /** Runs a script of bash whose `"$@"` is the command line of Meshbench. */
  shell(script: string): Promise<RunResult>
  journal(name: string): Journal
  remove(): void
}

/** A small run of two arms, to be changed by the test. */
export const smallConfig = {
  arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar'] },
  experiments: { latency: { ratesPerSecond: [200], connections: 4, warmupMs: 100, durationMs: 300 } },
  rounds: { min: 2, max: 2 },
  validity: anyMachine,
}

/** Flags of runs whose page nobody looks at: drawing it takes longer than their windows. */
export const noPage = ['--format', 'json']

let workspaces = 0

/** `timeoutMs` is how long one command may take; `source` is a folder whose sources are run, as the package's scripts do. */
export function createWorkspace({
  timeoutMs = 180_000,
  source,
}: { readonly timeoutMs?: number; readonly source?: string } = {}): Workspace {
  let made: string | undefined
  const folder = () => (made ??= mkdtempSync(join(tmpdir(), 'meshbench-test-')))
  // Tests run side by side, and look at behaviour alone: a workspace excludes only its own runs.
  const lock = `tests of ${process.pid}.${++workspaces}`
  const argv = (args: readonly string[]) => [
    // Were the tests themselves started by nohup, the shell's last command would say so.
    ...['env', '-u', '_', `${lockVariable}=${lock}`],
    ...(source === undefined ? commandLine() : fromSource(source)),
    ...args,
  ]
  const path = (name: string) => join(folder(), name)
  const meshbenchWith = (env: Readonly<Record<string, string>>, ...args: string[]) =>
    run(['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...argv(args)], {
      cwd: folder(),
      allowFailure: true,
      timeoutMs,
    })
  return {
    path,
    writeConfig: (config) =>
      writeFileSync(path('bench.config.ts'), `export default ${JSON.stringify(config, null, 2)}\n`),
    meshbench: (...args) => meshbenchWith({}, ...args),
    meshbenchWith,
    shell: (script) =>
      run(['bash', '-c', script, 'bash', ...argv([])], { cwd: folder(), allowFailure: true, timeoutMs }),
    startMeshbench: (...args) => start({ argv: argv(args) }, { cwd: folder() }),
    journal: (name) => readJournal(path(name)),
    remove() {
      if (made !== undefined) rmSync(made, { recursive: true, force: true })
    },
  }
}
