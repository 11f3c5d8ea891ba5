/** Where a program listens. */

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
