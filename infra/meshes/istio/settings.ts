/** What the config's `meshSettings` may hold of Istio. */
import { z } from 'zod'
import { chartSettings } from '../clusters/settings.js'
import { portsSchema, weightSchema } from '../hops/settings.js'
import { istioFunctionNames } from './functions.js'
import { istioPlatforms, releaseNames, type IstioMode } from './values.js'

const common = {
  /** What Istio's charts call the ground they stand on; without it they expect what most clusters have, kind among them. */
  platform: z.enum(istioPlatforms).optional(),
  /** An Istio that is on the cluster already, for `kubernetes`: used as it is, by its revision where it has one. */
  installed: z
    .strictObject({ revision: z.string().min(1).optional().describe('absent: the default one') })
    .optional(),
}

/** What one arm may have and the next may not, since it is of objects in an arm's own namespace. */
const ofArms = {
  /** Functions of what parses requests, as this repository's hops have them; infra/meshes/README.md says which. */
  proxy: z
    .strictObject({
      /** Functions by name, with their settings; see `meshbench list`. */
      filters: z.partialRecord(z.enum(istioFunctionNames), z.record(z.string(), z.unknown())).optional(),
      /** Shares of the traffic by weight, of the same server; each is a subset of its own. */
      split: z
        .array(
          z.strictObject({
            /** Its part of the sum of all weights. */
            weight: weightSchema,
          }),
        )
        .min(2)
        .max(16)
        .optional(),
    })
    .optional(),
  /** Functions of what carries connections. */
  tunnel: z
    .strictObject({
      /** Ports of the server that its client may reach; absent: any. */
      ports: portsSchema.optional(),
    })
    .optional(),
}
/** Keys of what a variant may change; of the others every arm has the same. */
export const armSettings: readonly string[] = Object.keys(ofArms)

/** Values go to charts, and there are none where nothing is installed. */
const orValues = <T extends z.ZodType<{ installed?: unknown; values: object }>>(schema: T) =>
  schema.refine(({ installed: there, values }) => there === undefined || Object.keys(values).length === 0, {
    path: ['values'],
    message: 'nothing is installed where `installed` is given, so that values change nothing',
  })

/** Both exported by themselves: the config's reference reads the words of their fields from the source. */
export const sidecarSettings = orValues(
  chartSettings(releaseNames.sidecar).extend({
    ...common,
    ...ofArms,
    /**
     * Curves that Envoys offer servers, best first; `['X25519']` is what this repository's hops agree on. Without it what Envoy
     * itself prefers, since 1.40 a hybrid with ML-KEM.
     */
    curves: z.array(z.string().min(1)).min(1).optional(),
  }),
)

export const ambientSettings = orValues(
  chartSettings(releaseNames.ambient).extend({
    ...common,
    ...ofArms,
    /** Network of a cluster that is made for it, in the place of kindnet and kube-proxy. */
    cni: z.enum(['cilium']).optional(),
  }),
).refine(({ cni, values }) => cni === 'cilium' || values.cilium === undefined, {
  path: ['values', 'cilium'],
  message: "Cilium is installed where `cni` is 'cilium', and nowhere else",
})

export const istioSettings = { sidecar: sidecarSettings, ambient: ambientSettings } as const

export type IstioSettings = z.output<(typeof istioSettings)[IstioMode]> & {
  readonly cni?: 'cilium' | undefined
  readonly curves?: readonly string[] | undefined
}
