/** What every server image does around its data plane: arguments, config, ready line, reload, drain, exit codes. */
import { watch } from 'node:fs'
import { isIPv6 } from 'node:net'
import { basename, dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { z } from 'zod'
import type { ListenerAddress } from '../net/address.js'
import { startAdmin } from './admin.js'
import { type BaseConfig, ConfigError, loadConfig, redact } from './config.js'
import { addProcessMetrics } from './hop-metrics.js'
import { type Registry, createRegistry } from './metrics.js'
import { WorkerExit, isWorker, joinWorkers, startWorkers } from './workers.js'

export interface ImageContext {
  readonly registry: Registry
  /** Folder of the config file: relative file names start here. */
  readonly configDir: string
  /** One JSON line on standard error. */
  readonly log: (event: string, fields?: Readonly<Record<string, unknown>>) => void
}

export interface ImageServer<C> {
  /** By the listeners' names, as they are bound. */
  readonly listeners: Readonly<Record<string, ListenerAddress>>
  /** Throws to refuse; the old config then stays in force. */
  reload(config: C): Promise<void>
  /** Stops accepting; resolves when nothing is in flight. */
  drain(): Promise<void>
  /** Cuts what is left. */
  close(): void
}

export interface Image<C extends BaseConfig> {
  readonly name: string
  readonly schema: z.ZodType<C>
  /** Checks that need more than the schema; `--check` runs them too. Throws `ConfigError`. */
  readonly verify?: (config: C) => void
  start(config: C, context: ImageContext): Promise<ImageServer<C>>
}

/** Exit codes: 0 drained, 1 failed to start or crashed, 2 bad arguments or config. */
export async function runImage<C extends BaseConfig>(image: Image<C>): Promise<void> {
  const { file, check, healthcheck } = readArguments(image.name)
  try {
    const { config, baseDir: configDir } = loadConfig(image.schema, file)
    image.verify?.(config)
    if (check) process.exit(0)
    if (healthcheck) process.exit((await isReady(config)) ? 0 : 1)
    const registry = createRegistry()
    addProcessMetrics(registry)
    const program = { image, file, configDir, registry, state: { config, isReady: false } }
    if (config.workers > 1 && !isWorker) await serveWithWorkers(program)
    else await serveHere(program)
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(error.problems.map((problem) => `${problem}\n`).join(''))
      process.exit(2)
    }
    // A worker has said itself what was wrong.
    if (error instanceof WorkerExit) process.exit(error.exitCode || 1)
    process.stderr.write(`${image.name}: ${(error as Error).message}\n`)
    process.exit(1)
  }
}

function readArguments(name: string): { file: string; check: boolean; healthcheck: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        config: { type: 'string' },
        check: { type: 'boolean', default: false },
        healthcheck: { type: 'boolean', default: false },
      },
    })
    if (values.config === undefined) throw new Error('--config <file.json> is missing')
    return { ...values, file: values.config }
  } catch (error) {
    process.stderr.write(
      `${name}: ${(error as Error).message}\nusage: node ${name}.mjs --config <file.json> [--check | --healthcheck]\n`,
    )
    process.exit(2)
  }
}

/** For a container's HEALTHCHECK, which has neither shell nor curl. */
async function isReady({ admin }: BaseConfig): Promise<boolean> {
  const host = admin.host === '0.0.0.0' || admin.host === '::' ? 'localhost' : admin.host
  const url = `http://${isIPv6(host) ? `[${host}]` : host}:${admin.port}/healthz/ready`
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}

interface Program<C extends BaseConfig> {
  readonly image: Image<C>
  readonly file: string
  readonly configDir: string
  readonly registry: Registry
  /** What the admin listener tells. */
  readonly state: { config: C; isReady: boolean }
}

const log: ImageContext['log'] = (event, fields = {}) => {
  process.stderr.write(JSON.stringify({ time: new Date().toISOString(), event, ...fields }) + '\n')
}

function printReady(listeners: Readonly<Record<string, ListenerAddress>>): void {
  process.stdout.write(JSON.stringify({ event: 'ready', listeners }) + '\n')
}

function openAdmin<C extends BaseConfig>({ state }: Program<C>, metrics: () => string | Promise<string>) {
  return startAdmin({
    ...state.config.admin,
    metrics,
    config: () => redact(state.config),
    isReady: () => state.isReady,
  })
}

/** The data plane in this process, which may be one worker of several. */
async function serveHere<C extends BaseConfig>(program: Program<C>): Promise<void> {
  const { image, file, configDir, registry, state } = program
  const reloads = registry.counter('meshbench_config_reloads_total', 'Reloads of the config.', ['outcome'])
  const server = await image.start(state.config, { registry, configDir, log })
  const admin = isWorker ? undefined : await openAdmin(program, () => registry.render())
  state.isReady = true
  const reload = async (): Promise<void> => {
    if (!state.isReady) return
    try {
      const next = loadConfig(image.schema, file).config
      image.verify?.(next)
      await server.reload(next)
      state.config = next
      reloads.labels('ok').add()
      log('reloaded')
    } catch (error) {
      reloads.labels('refused').add()
      log('reload-refused', { problems: error instanceof ConfigError ? error.problems : [String(error)] })
    }
  }
  const stopWatching = onReloadSignal(program, reload)
  onStopSignal(async (signal) => {
    state.isReady = false
    stopWatching()
    const { drainMs } = state.config
    log('draining', { signal, drainMs })
    const overdue = setTimeout(() => {
      log('drain-overdue')
      server.close()
      process.exit(0)
    }, drainMs)
    await server.drain()
    clearTimeout(overdue)
    server.close()
    admin?.close()
    process.exit(0)
  })
  if (admin) printReady({ ...server.listeners, admin: admin.address })
  else joinWorkers(server.listeners, registry)
}

/** The process that has the workers: it accepts and hands out connections, and answers for all on the admin listener. */
async function serveWithWorkers<C extends BaseConfig>(program: Program<C>): Promise<void> {
  const { image, file, registry, state } = program
  const workers = await startWorkers(state.config.workers, registry, log)
  const admin = await openAdmin(program, () => workers.metrics())
  state.isReady = true
  const reload = async (): Promise<void> => {
    // The workers load it themselves, refuse what is bad, and count it.
    workers.signal('SIGHUP')
    try {
      state.config = loadConfig(image.schema, file).config
    } catch {
      // Said by the workers.
    }
  }
  const stopWatching = onReloadSignal(program, reload)
  onStopSignal(async () => {
    state.isReady = false
    stopWatching()
    const ended = workers.ended()
    workers.signal('SIGTERM')
    await ended
    admin.close()
    process.exit(0)
  })
  printReady({ ...workers.listeners, admin: admin.address })
}

function onStopSignal(stop: (signal: string) => Promise<void>): void {
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      void stop(signal)
    })
  }
}

/**
 * Calls `onChange` on SIGHUP and when the config file or a certificate changes. Folders are watched, not files: editors
 * and Kubernetes replace a file by a rename, after which a watch on the old inode is silent. Reloads never overlap.
 */
function onReloadSignal<C extends BaseConfig>(
  { file, configDir, state }: Program<C>,
  onChange: () => Promise<void>,
): () => void {
  let timer: NodeJS.Timeout | undefined
  let chain = Promise.resolve()
  const schedule = (delayMs: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      chain = chain.then(onChange)
    }, delayMs)
  }
  process.on('SIGHUP', () => {
    schedule(0)
  })
  const { workloads } = state.config
  const certificates = workloads.flatMap(({ certFile, keyFile, caFile }) => [certFile, keyFile, caFile])
  // Whoever has workers tells them.
  const paths = isWorker ? [] : [resolve(file), ...certificates.map((name) => resolve(configDir, name))]
  // `..data` is the symbolic link that Kubernetes swaps when a mounted ConfigMap or Secret changes.
  const names = new Set(['..data', ...paths.map((path) => basename(path))])
  const watchers = [...new Set(paths.map((path) => dirname(path)))].map((folder) => {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, changed) => {
        // Files that belong together are written one after the other: wait until it is quiet.
        if (changed !== null && names.has(changed)) schedule(200)
      })
      watcher.on('error', () => {
        watcher.close()
      })
      return watcher
    } catch {
      // No inotify instance left (fs.inotify.max_user_instances): SIGHUP still works.
      return undefined
    }
  })
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher?.close()
  }
}
