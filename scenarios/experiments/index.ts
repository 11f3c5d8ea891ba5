/** Registry of experiments: a new experiment is one file and one line here. */
import { blastRadius } from './blast-radius.js'
import { capacity } from './capacity.js'
import { connect } from './connect.js'
import { controlPlane } from './control-plane.js'
import type { Experiment } from './experiment.js'
import { firstPacket } from './first-packet.js'
import { footprint } from './footprint.js'
import { isolation } from './isolation.js'
import { latency } from './latency.js'
import { modes } from './modes.js'
import { pausesExperiment } from './pauses.js'
import { saturation } from './saturation.js'
import { scaleOut } from './scale-out.js'
import { startup } from './startup.js'
import { stream } from './stream.js'
import { sweep } from './sweep.js'

export const experiments = {
  latency,
  capacity,
  sweep,
  saturation,
  connect,
  stream,
  isolation,
  'blast-radius': blastRadius,
  pauses: pausesExperiment,
  startup,
  'first-packet': firstPacket,
  'control-plane': controlPlane,
  footprint,
  'scale-out': scaleOut,
  modes,
  // Each experiment has settings of its own type; whoever calls one parses them with its own schema first.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
} satisfies Record<string, Experiment<any>>

export type ExperimentName = keyof typeof experiments
