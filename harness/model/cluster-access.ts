/**
 * What a mesh that installs itself on Kubernetes needs of its cluster. The platform gives the real one; tests give a
 * transcript.
 */
import { UserError } from './errors.js'
import type { Arm, Component, Host, NodeRole, Path } from '../model.js'
import type { ClusterCommands } from './running/workloads.js'

export type { AccessOptions, ClusterCommands } from './running/workloads.js'

/** On a namespace that a mesh is in, besides the run's own marks: the mesh's name, for whoever takes it away. */
export const meshLabel = 'meshbench.mesh'

/** Labels and annotations that enrol an object in a mesh. */
export interface ObjectMarks {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/**
 * How a mesh wants an arm's namespace, pods and service to look. The platform creates them from this when it starts
 * the arm's application and its client; an arm without a shape is plain and carries no mesh's marks.
 */
export interface ArmShape {
  readonly namespace?: ObjectMarks
  readonly clientPod?: ObjectMarks
  readonly serverPod?: ObjectMarks
  readonly service?: ObjectMarks & {
    /** Meshes take the protocol from it: `http` is parsed, `tcp` is not. */
    readonly appProtocol?: 'http' | 'kubernetes.io/h2c' | 'grpc' | 'tcp'
  }
  /** Both pods live on their node's network: where a mesh carries all pod traffic, this alone is without it. */
  readonly hostNetwork?: boolean
  /** Containers that must be ready in a pod before it counts as up, injected ones included. */
  readonly expectContainers?: readonly string[]
}

/** Names that the platform gave to an arm's objects. Client and server are labelled `app: client` and `app: server`. */
export interface ArmObjects {
  readonly namespace: string
  /** Service accounts `client` and `server` live in the namespace. */
  readonly service: { readonly name: string; readonly port: number }
  /** Label selectors of the pods within the namespace. */
  readonly clientSelector: string
  readonly serverSelector: string
}

/** Containers that a component's usage is read from; all that match are added up. */
export interface ContainerSelector {
  readonly namespace: string
  /** For example `app=ztunnel`. */
  readonly podSelector: string
  /** Regular and init containers (native sidecars) are searched; absent: the whole pod. */
  readonly container?: string
  /** Kubernetes node name; absent: on every node. */
  readonly nodeName?: string
}

/** A cluster that is up. */
export interface ClusterAccess extends ClusterCommands {
  /** False where it was there before the run: what is on it is somebody's, and what is installed on it must go again. */
  readonly isOwn: boolean
  /** True where it is one of the run's own that stays: the next run on it may want other things there. */
  readonly isKept: boolean
  /** Labels of what the run makes on it, by which it is found when the run was killed. */
  readonly marks: Readonly<Record<string, string>>
  /** For example `1.34.11`. */
  readonly kubernetesVersion: string
  /** Kubernetes node names by role. */
  readonly nodes: Readonly<Record<NodeRole | 'control-plane', string>>
  /** Where nodes reach the API server without kube-proxy: on kind, the control plane's container name and 6443. */
  readonly apiServer: { readonly host: string; readonly port: number }
  /** Standard output of a command on a node, outside of any pod, where nodes are within reach: on a cluster of the run's own. */
  onNode?(node: string, argv: readonly string[]): Promise<string>
  /** Says how an arm's objects shall look; before `Host.startApplication` of that arm. */
  shapeArm(arm: Arm, shape: ArmShape): void
  /** Names of an arm's objects, whether they exist yet or not. */
  objectsOf(arm: Arm): ArmObjects
  /** Creates an arm's namespace and service accounts, when they are not there yet. */
  ensureNamespace(arm: Arm): Promise<void>
  /** Starts the arm's client pod, when it is not there yet, and waits until it is ready. */
  ensureClient(arm: Arm): Promise<void>
  /**
   * Standard output of a command in a pod of the arm's namespace that is in the mesh as the client is, on the client's
   * node, but under another service account. The pod is gone again when this settles.
   */
  runAsStranger(arm: Arm, argv: readonly string[]): Promise<string>
  /** Loads an image archive into the nodes, where that is how images get there. */
  loadArchive?(path: string): Promise<void>
  /**
   * Tells which containers a component is, so that `Host.readUsage` and `Host.health` can find it. `standIn`: what a script
   * acts on in its place, of a spare component that is more than its arm's own.
   */
  bind(component: Component, containers: ContainerSelector, standIn?: ContainerSelector): void
}

/**
 * A node that a path does not cross. What a mesh runs once on each node carries nothing of the arm there, so that it can be
 * the spare one.
 */
export function nodeOffPath(nodes: ClusterAccess['nodes'], { hops }: Path): string {
  const crossed = new Set([nodes.client, nodes.server, ...hops.map(({ node }) => nodes[node])])
  return [nodes.waypoint, nodes['control-plane']].find((node) => !crossed.has(node)) ?? nodes['control-plane']
}

/**
 * A host that is a cluster. Its `connect` connects from a pod outside of every mesh on the client's node: traffic of a
 * node's own processes to pods of the same node is exempt from capture by ambient meshes and would prove nothing.
 */
export interface ClusterHost extends Host {
  readonly cluster: ClusterAccess
}

/** The cluster behind a host; `UserError` when the platform has none. */
export function clusterOf(host: Host, mesh: string): ClusterAccess {
  if ('cluster' in host) return (host as ClusterHost).cluster
  throw new UserError(`The mesh ${mesh} needs a Kubernetes cluster, and this platform has none.`, {
    hint: 'Choose --platform kind or --platform kubernetes, or --mesh reference on this platform.',
  })
}
