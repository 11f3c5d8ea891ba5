/** The listeners of a tunnel, which a reload replaces while connections go on. */
import { type ListenerAddress, startAll } from '../kit/net/address.js'
import type { ListenerConfig, TunnelConfig } from './config.js'
import type { TunnelListener } from './tcp.js'

/** Its updates are given configs of the kind that it was started with. */
type StartListener = (
  wanted: ListenerConfig,
  limits: TunnelConfig['limits'],
) => Promise<TunnelListener<ListenerConfig>>

interface Running extends TunnelListener<ListenerConfig> {
  config: ListenerConfig
}

export class ListenerSet {
  readonly #start: StartListener
  readonly #running = new Map<string, Running>()
  /** Those that were taken away and whose connections are not over yet. */
  readonly #leaving = new Set<Running>()

  constructor(start: StartListener) {
    this.#start = start
  }

  addresses(): Record<string, ListenerAddress> {
    return Object.fromEntries([...this.#running].map(([name, { address }]) => [name, address]))
  }

  /**
   * Makes them those of a config. Somebody else may have the address of a new one: what can be tried before anything
   * changes is, and throws then; `commit` is called when the old config is left.
   */
  async replace(
    { listeners, limits }: Pick<TunnelConfig, 'listeners' | 'limits'>,
    commit?: () => void,
  ): Promise<void> {
    const staying = listeners.filter((listener) => {
      const entry = this.#running.get(listener.name)
      return entry !== undefined && sameSocket(listener, entry.config)
    })
    const successors = listeners.filter((listener) => !staying.includes(listener))
    const ours = new Set([...this.#running.values()].map(({ address }) => address.port))
    const waits = ({ port }: ListenerConfig) => ours.has(port)
    const free = successors.filter((listener) => !waits(listener))
    const opened = await this.#startAll(free, limits)
    commit?.()
    const names = new Set(staying.map(({ name }) => name))
    for (const [name, entry] of [...this.#running]) if (!names.has(name)) this.#leave(name, entry)
    this.#add(opened)
    // Their addresses are free now.
    this.#add(await this.#startAll(successors.filter(waits), limits))
    for (const config of staying) {
      const entry = this.#running.get(config.name)
      entry?.update(config, limits)
      if (entry) entry.config = config
    }
  }

  async drain(): Promise<void> {
    await Promise.all(this.#all().map((entry) => entry.drain()))
  }

  close(): void {
    for (const entry of this.#all()) entry.close()
  }

  #startAll(wanted: readonly ListenerConfig[], limits: TunnelConfig['limits']): Promise<Running[]> {
    return startAll(wanted, async (config) => ({ ...(await this.#start(config, limits)), config }))
  }

  #add(entries: readonly Running[]): void {
    for (const entry of entries) this.#running.set(entry.config.name, entry)
  }

  #leave(name: string, entry: Running): void {
    this.#running.delete(name)
    this.#leaving.add(entry)
    void entry.drain().then(() => {
      entry.close()
      this.#leaving.delete(entry)
    })
  }

  #all(): Running[] {
    return [...this.#running.values(), ...this.#leaving]
  }
}

const securityOf = (config: ListenerConfig) => (config.kind === 'hbone' ? config.security : undefined)

/** What a listener cannot change while it listens. */
function sameSocket(a: ListenerConfig, b: ListenerConfig): boolean {
  return a.kind === b.kind && a.host === b.host && a.port === b.port && securityOf(a) === securityOf(b)
}
