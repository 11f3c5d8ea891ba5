/** Where a program listens. */

export interface ListenerAddress {
  readonly host: string
  readonly port: number
}
