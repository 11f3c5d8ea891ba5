/** What `clean` takes of a run that is still alive, as in another terminal: nothing, unless it is told to. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { start } from '../../process/exec.js'
import { parseStartTicks } from '../../process/probes/process.js'
import { liveRuns, newRunId } from '../../process/state.js'
import { removeLeftovers } from './clean.js'

/** The other terminal has a temporary folder of its own. */
const temporary = mkdtempSync(join(tmpdir(), 'meshbench-terminal-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const waiting = { argv: [process.execPath, '-e', 'setInterval(() => {}, 1000)'], env: { TMPDIR: temporary } }

/** The process of a run, its folder, and a hop. */
function startRun() {
  const runId = newRunId(new Date())
  const owner = start(waiting)
  const hop = start(waiting, { runId })
  const folder = join(temporary, `meshbench-${runId}-abcdef`)
  mkdirSync(folder)
  const { pid = 0 } = owner
  const ticks = parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  writeFileSync(join(folder, 'owner.json'), JSON.stringify({ runId, pid, startTicks: ticks }))
  return { runId, pid, owner, hop, folder }
}

/** What is told of one run; what others have on this machine is not touched. */
async function told(runId: string, named: boolean, flags: { dryRun: boolean; force?: boolean }) {
  const lines: string[] = []
  await removeLeftovers(named ? runId : undefined, { ...flags, tell: (line) => lines.push(line) })
  return lines.filter((line) => line.includes(runId))
}

it('leaves a living run alone and says so, until it is named or forced', async () => {
  const { runId, pid, owner, hop, folder } = startRun()
  try {
    expect((await liveRuns()).get(runId)).toBe(pid)
    expect(await told(runId, false, { dryRun: true })).toEqual([
      `run ${runId} is still alive, in process ${pid}: what it has is left alone; \`meshbench clean ${runId}\` takes it`,
    ])
    expect(await told(runId, false, { dryRun: true, force: true })).toEqual([
      `! run ${runId} is still alive, in process ${pid}: what is taken from it here is missing there`,
      `would remove 1 process and ${folder} of run ${runId}`,
    ])
    expect(await told(runId, true, { dryRun: false })).toContain(
      `removing 1 process and ${folder} of run ${runId}`,
    )
    expect((await hop.exited).signal).toBe('SIGTERM')
    expect(existsSync(folder)).toBe(false)
  } finally {
    for (const child of [owner, hop]) child.kill('SIGKILL')
    await Promise.all([owner.exited, hop.exited])
  }
})

it('finds what a killed run left, in whichever temporary folder', async () => {
  const { runId, owner, hop, folder } = startRun()
  try {
    owner.kill('SIGKILL')
    await owner.exited
    expect((await liveRuns()).has(runId)).toBe(false)
    expect(await told(runId, false, { dryRun: true })).toEqual([
      `would remove 1 process and ${folder} of run ${runId}`,
    ])
  } finally {
    hop.kill('SIGKILL')
    await hop.exited
  }
})
