/** Says where a run was measured, since absolute figures do not travel. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os'
import type { Fingerprint } from '../../model.js'
import { influences } from '../exec.js'
import { textOf } from './process.js'

export function fingerprint(bundles: Readonly<Record<string, string>>): Fingerprint {
  const processors = cpus()
  const cpuModel = processors[0]?.model.trim() ?? 'unknown'
  const memoryBytes = totalmem()
  const kernel = `${type()} ${release()}`
  const hostKey = createHash('sha256')
    .update(JSON.stringify([cpuModel, processors.length, memoryBytes, kernel, arch()]))
    .digest('hex')
    .slice(0, 16)
  return {
    hostKey,
    cpuModel,
    cpus: processors.length,
    memoryBytes,
    kernel,
    os: distribution(),
    arch: arch(),
    cgroup: cgroupVersion(),
    node: process.version,
    loadAverage1m: loadavg()[0] ?? 0,
    bundles,
    environment: influences(),
  }
}

/** PRETTY_NAME of os-release(5). */
function distribution(): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(textOf('/etc/os-release'))?.[1] ?? type()
}

/** `v2`, `v1`, `v1 (hybrid)` or `none`: a cgroup2 mount has cgroup.controllers at its root (cgroups(7)). */
function cgroupVersion(): string {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) return 'v2'
  if (existsSync('/sys/fs/cgroup/unified/cgroup.controllers')) return 'v1 (hybrid)'
  return existsSync('/sys/fs/cgroup/cpuacct') || existsSync('/sys/fs/cgroup/cpu,cpuacct') ? 'v1' : 'none'
}
