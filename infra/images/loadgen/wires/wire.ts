/** What a protocol is to the sender: a connection that carries one request at a time. */
import type { ErrorKind } from '../../../../harness/protocol/result.js'
import type { Spec } from '../spec.js'

export interface WireEvents {
  onOpen(): void
  /** The first byte of a reply is here. */
  onFirstByte?(): void
  /**
   * The request is answered. `kind` is undefined when the reply is as it should be. A connection that cannot carry
   * another request is already closed, and no further event comes.
   */
  onReply(kind: ErrorKind | undefined, bodyBytes: number, reusable: boolean): void
  /** The connection is gone, before it was open (`connect`) or after; a request in flight has died with it. `code` is the system's. */
  onClose(kind: ErrorKind, code?: string): void
}

export interface Wire {
  /** Sends one request of a kind, by its place among those of the spec; only when open and nothing is in flight. */
  send(kind: number): void
  /** Closes without a further event. */
  destroy(): void
}

const connectFaults: Readonly<Record<string, string>> = {
  EMFILE: 'this process may not open more files; raise `ulimit -n`',
  ENFILE: 'this host may not open more files; raise fs.file-max',
  EADDRNOTAVAIL:
    'no local port is left; lower the rate of new connections or widen net.ipv4.ip_local_port_range',
  ENOTFOUND: 'there is no host of this name',
  ECONNREFUSED: 'nothing listens there',
  ETIMEDOUT: 'nothing answers there',
  EHOSTUNREACH: 'no route leads there',
  ENETUNREACH: 'no route leads there',
}

/** What a person is told of a connection that could not be opened. */
export function cannotConnect({ host, port }: Spec['target'], code: string | undefined): string {
  const why = code === undefined ? '' : `: ${code}, ${connectFaults[code] ?? 'as the system has it'}`
  return `cannot connect to ${host}:${port}${why}`
}

export type WireFactory = (spec: Spec, events: WireEvents) => Wire

/** The kind of a reply's status: below 400 only a success, and 304, which has no body, are what was asked for. */
export function kindOfStatus(status: number): ErrorKind | undefined {
  if ((status >= 200 && status < 300) || status === 304) return undefined
  return status >= 500 ? '5xx' : status >= 400 ? '4xx' : 'other'
}
