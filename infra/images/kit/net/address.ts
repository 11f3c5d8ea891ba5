/** Where a program listens. */
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

export interface ListenerAddress {
  readonly host: string
  readonly port: number
}

/** Where it is to listen: at an address, or at a listening socket that the process was started with. */
export interface ListenAt extends ListenerAddress {
  readonly name: string
  readonly fd?: number | undefined
}

/** Listens, and says where: the port may have been the system's to choose. Rejects with the listener's name. */
export async function listen(server: Server, { name, host, port, fd }: ListenAt): Promise<ListenerAddress> {
  server.listen(fd === undefined ? { host, port, backlog: 4096 } : { fd })
  await once(server, 'listening').catch((error: unknown) => {
    throw new Error(`listener ${name}: ${(error as Error).message}`, { cause: error })
  })
  const bound = server.address() as AddressInfo
  return { host: bound.address, port: bound.port }
}

/** Starts all of them, or none: what has been started is closed when another cannot be. */
export async function startAll<T, S extends { close(): void }>(
  wanted: readonly T[],
  start: (wanted: T) => Promise<S>,
): Promise<S[]> {
  const started: S[] = []
  try {
    for (const next of wanted) started.push(await start(next))
  } catch (error) {
    for (const earlier of started) earlier.close()
    throw error
  }
  return started
}
