/** Where a program listens. */
import type { AddressInfo, Server } from 'node:net'

export interface ListenerAddress {
  readonly host: string
  readonly port: number
}

/** Where it is to listen: at an address, or at a listening socket that the process was started with. */
export interface ListenAt extends ListenerAddress {
  readonly fd?: number | undefined
}

/** For `listen` of a server of Node's. */
export const listenOptions = ({
  host,
  port,
  fd,
}: ListenAt): { host: string; port: number } | { fd: number } => (fd === undefined ? { host, port } : { fd })

/** Listens, and says where: the port may have been the system's to choose. Rejects with the listener's name. */
export async function listen(
  server: Server,
  { name, host, port }: ListenerAddress & { readonly name: string },
): Promise<ListenerAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new Error(`listener ${name}: ${error.message}`))
    })
    server.listen({ host, port, backlog: 4096 }, resolve)
  })
  const bound = server.address() as AddressInfo
  return { host: bound.address, port: bound.port }
}
