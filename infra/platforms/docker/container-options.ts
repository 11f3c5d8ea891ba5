/** Renders what the engine is asked for, purely, so that limits and confinement can be read in a test. */
import type { ContainerCreateOptions } from 'dockerode'
import type { Limits } from '../kit/settings.js'
import { bandwidth } from '../kit/units.js'
import { defined } from '../../../harness/model/defined.js'

/** Where a container's files lie: a volume, since the root is read-only and nothing of the host is mounted. */
export const configFolder = '/etc/meshbench'

export interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** A network by name, or `container:<id>` to share another's. */
  readonly networkMode: string
  readonly limits: Limits
  /** Cores in the place of those of `limits`, in periods that are short enough for what is behind a queue. */
  readonly cpus?: number
  readonly cpuset?: string
  readonly interactive?: boolean
}

/** Not root, no capabilities, nothing writable but `/tmp` in memory: what a hop needs and no more. */
export function containerOptions(spec: ContainerSpec): ContainerCreateOptions {
  const { limits } = spec
  return {
    name: spec.name,
    Image: spec.image,
    Cmd: [...spec.argv],
    Entrypoint: [],
    User: '65532:65532',
    Env: Object.entries(spec.env ?? {}).map(([name, value]) => `${name}=${value}`),
    Labels: { ...spec.labels },
    Volumes: { [configFolder]: {} },
    ...(spec.interactive
      ? { OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true }
      : {}),
    HostConfig: {
      NetworkMode: spec.networkMode,
      ...cpuLimit(spec),
      Memory: limits.memoryMib * 2 ** 20,
      // No swap: a hop that outgrows its limit shall die and not slow down.
      MemorySwap: limits.memoryMib * 2 ** 20,
      ...defined({ CpusetCpus: spec.cpuset }),
      PidsLimit: 256,
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=64m,mode=1777' },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'no' },
    },
  }
}

/** `NanoCpus` has periods of 100 ms, for most of which a hop stands still that has used a small share. */
function cpuLimit({ limits, cpus }: ContainerSpec) {
  if (cpus === undefined) return { NanoCpus: Math.round(limits.cpus * 1e9) }
  const { quotaUs, periodUs } = bandwidth(cpus)
  return { CpuQuota: quotaUs, CpuPeriod: periodUs }
}
