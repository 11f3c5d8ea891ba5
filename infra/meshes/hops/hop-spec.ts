/** What a hop of an arm is made from, for whoever configures, counts or proves it. */
import type {
  Arm,
  Endpoint,
  Hop,
  Identity,
  LegTransport,
  OwnProgram,
  ProgramBuild,
} from '../../../harness/model.js'
import type { ServiceEndpoints } from '../services/called-services.js'
import type { HopSettings } from './settings.js'

export interface HopSpec {
  readonly arm: Arm
  readonly hop: Hop
  readonly identity: Identity
  /** The next hop, or the application. */
  readonly upstream: Endpoint
  readonly downstreamLeg: LegTransport
  readonly upstreamLeg: LegTransport
  /** The hop before; absent when the client comes straight here. */
  readonly before?: Identity
  /** The hop after; absent when the application is next. */
  readonly after?: Identity
  /** `host:port` of the service, as CONNECT names it. */
  readonly authority: string
  /** What the config's `meshSettings` hold for this mesh. */
  readonly settings: HopSettings
  /** Services that its functions may call, by name; absent: none is up. */
  readonly services?: ServiceEndpoints
  /** What requests of the run carry for a function's sake; absent: nothing. */
  readonly requestHeaders?: Readonly<Record<string, string>>
  /** Programs of this repository that the arm's variant builds otherwise. */
  readonly builds: Builds
}

export type Builds = Readonly<Partial<Record<OwnProgram, ProgramBuild>>>
