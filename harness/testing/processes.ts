/** What a run has running on this machine, as its processes' environment tells. */
import { readFileSync, readdirSync } from 'node:fs'
import { runIdVariable } from '../process/exec.js'

/** Processes that carry the run id in their environment. */
export function processesOf(runId: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${runIdVariable}=${runId}`)) return []
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return [{ pid: Number(pid), command }]
      } catch {
        return [] // It ended in between.
      }
    })
}
