/** What a platform and its meshes are asked for, whole: no test passes or fails by a field that every run gives. */
import { resolveConfig } from '../config/resolve-config.js'
import type { Arm, EnvironmentRequest, Path, ResolvedConfig } from '../model.js'

export interface TestRequest {
  /** Laid over the least that a config may say. */
  readonly config?: Partial<ResolvedConfig>
  /** Each a subject on `baseline`, unless it says more. */
  readonly arms?: readonly (Pick<Arm, 'mesh'> & Partial<Arm>)[]
  readonly paths?: readonly Path[]
  readonly id?: string
}

export function testRequest({ config, arms = [], paths = [], id = 'test' }: TestRequest): EnvironmentRequest {
  return {
    id,
    config: { ...resolveConfig({ arms: { reference: ['l4-only'] } }), ...config },
    arms: arms.map(({ path = 'baseline', ...arm }) => ({
      ...{ id: `${arm.mesh}/${path}`, path, role: 'subject', environment: id, baseline: 'none/baseline' },
      ...arm,
    })),
    paths,
  }
}
