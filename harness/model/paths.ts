/** Layers, hops and the paths that they form. */

/** OSI layer at which a hop works: an L4 hop moves bytes, an L7 hop parses requests. */
export type Layer = 'l4' | 'l7'

/** What the client speaks. */
export type Protocol = 'http1' | 'h2' | 'grpc' | 'tcp'

/** A place of a platform: on `kind` a worker, on `docker` a network, on `local` only a name. */
export type NodeRole = 'client' | 'server' | 'waypoint'

/** Who pays: the row of the bill to which a component's CPU and memory are charged. */
export type BillCategory =
  | 'generator'
  | 'application'
  | 'l4'
  | 'l7'
  | 'control-plane'
  /** What runs the components and is there without any mesh, such as a cluster's kubelets and API server. */
  | 'platform'

/** One proxy or tunnel that a request passes. */
export interface Hop {
  /** Unique within the path, for example `client-tunnel`. */
  readonly name: string
  readonly role:
    | 'sidecar-outbound'
    | 'sidecar-inbound'
    | 'waypoint'
    | 'per-node'
    | 'tunnel-outbound'
    | 'tunnel-inbound'
    /** Where requests from outside enter the mesh. */
    | 'ingress'
  readonly layer: Layer
  readonly node: NodeRole
}

/** How bytes travel between two neighbours on a path. */
export type LegTransport = 'plain' | 'mtls' | 'hbone'

/** A path: the hops of a request in order, and how each leg between them is carried. */
export interface Path {
  readonly name: string
  /** Short label for charts, for example `L4-L7-L4`. */
  readonly label: string
  /** One sentence for `meshbench list` and the report. */
  readonly summary: string
  /** Stable colour of this path in every chart (Okabe-Ito), for light and dark grounds. */
  readonly colour: { readonly light: string; readonly dark: string }
  readonly hops: readonly Hop[]
  /** `hops.length + 1` legs: client → hop 0, …, last hop → server. */
  readonly legs: readonly LegTransport[]
}
