/** What a mesh that works with the kernel's own means needs of its platform: nodes and pods that it may set rules in. */
import { UserError } from '../../../harness/model/errors.js'
import type { Arm, Host, NodeRole } from '../../../harness/model.js'

export interface Stack {
  /** The command that runs `argv` there, as the same process. */
  readonly enter: (argv: readonly string[]) => readonly string[]
  /** Loads lines of nft(8) in one transaction. */
  nft(lines: readonly string[]): Promise<string>
  /** Runs a command there to its end and returns its output; rejects when it fails. */
  run(argv: readonly string[]): Promise<string>
}

export interface Pod {
  readonly node: NodeRole
  readonly namespace: Stack
  /** The node's end of the link to it. */
  readonly link: string
  readonly address: string
}

/** A network of nodes and pods that one arm has for itself: its rules cost no other arm anything. */
export interface ArmNetwork {
  readonly nodes: Readonly<Record<NodeRole, Stack>>
  readonly nodeAddress: (node: NodeRole) => string
  /** Addresses of a node's pods, in CIDR notation. */
  readonly podRange: (node: NodeRole) => string
  /** The pod by this name on a node, made when it is first asked for. The arm's client is `client` of node `client`. */
  pod(node: NodeRole, name: string): Promise<Pod>
  /** An address that leads to the arm's nodes and that no interface has. */
  readonly serviceAddress: string
}

export interface NamespaceHost extends Host {
  /** From its first call on, the arm's processes live in a network of its own. */
  networkFor(arm: Arm): Promise<ArmNetwork>
}

/** Throws where the platform has no namespaces. */
export function namespacesOf(host: Host): NamespaceHost {
  if ('networkFor' in host) return host as NamespaceHost
  throw new UserError('this needs network namespaces', { hint: 'Measure it with --platform netns.' })
}
