/** Known answers of what a start brings with it: a hop that is late by 200 ms, and bytes that are really sent in the clear. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imageBundles } from '../../../infra/images/bundles.js'
import { readRestart } from '../../../scenarios/experiments/restart.js'
import { startLoads } from '../../../scenarios/experiments/startup.js'
import type { Trial } from '../../model.js'
import { messageOf } from '../../model/errors.js'
import { findProgram } from '../../process/exec.js'
import { halfWidth, lying, tolerance, type Answer } from './check.js'
import { measureRun, pairedDifferences } from './whole-run.js'

const lateMs = 200
const rounds = 8

/**
 * A build of the proxy that waits before it does anything, beside the build as it is: the application behind it goes
 * unserved for as much longer. The same where a spare hop starts, which carries nothing.
 */
export async function checkRace(): Promise<Answer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'meshbench-late-'))
  try {
    const { proxy } = await imageBundles(folder)
    const wait = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${lateMs});`
    // Imports come first wherever they stand, and all of them are of Node's own modules.
    await writeFile(join(folder, 'proxy.mjs'), `${wait}\n${await readFile(proxy.path, 'utf8')}`)
    const settings = { ratePerSecond: 400, startAtMs: 200, warmupMs: 100, durationMs: 1500 }
    const variants = ['prompt=unchanged', `late=bundles:${folder}`]
    const arms = { reference: ['l7-sidecar-to-sidecar'] }
    const { trials } = await measureRun('startup', arms, settings, { rounds, variants })
    const unserved = (trial: Trial) => readRestart(trial)?.unservedMs
    const later = (load: string) => [
      ...pairedDifferences(trials, load, ['late', 'prompt'], unserved).values(),
    ]
    const [together, nothing] = [later(startLoads.together), later(startLoads.nothing)]
    return [
      {
        check: 'startup',
        what: `a sidecar that starts ${lateMs} ms late: time unserved beyond one that does not, ${together.length} of ${rounds} rounds`,
        unit: 'ms',
        expected: lateMs,
        measured: lying(together),
        tolerance: tolerance(lateMs, 0.05),
      },
      {
        check: 'startup',
        what: 'half of the 95 % interval of that, a fifth of the truth at most',
        unit: 'ms',
        expected: lateMs / 5,
        measured: halfWidth(together),
        rule: 'atMost',
      },
      {
        check: 'startup',
        what: 'the same when a spare hop starts: nothing is seen',
        unit: 'ms',
        expected: 0,
        measured: lying(nothing),
        tolerance: tolerance(lateMs, 0.05),
      },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Requests between nodes: the kernel's own path sends them as they are, a tunnel does not. */
export async function checkPlaintext(): Promise<Answer[]> {
  const unable = (await findProgram('tcpdump')) === undefined ? 'no tcpdump on the PATH' : undefined
  if (unable !== undefined) return notHere(unable)
  const settings = { ratesPerSecond: [200], warmupMs: 100, durationMs: 500 }
  const arms = { nftables: ['l4-kernel'], reference: ['l4-only'] }
  // What is led to its hop is looked at between the nodes.
  const meshSettings = { reference: { capture: 'redirect' } }
  try {
    const { run } = await measureRun('latency', arms, settings, { platform: 'netns', meshSettings })
    const looks = (arm: string) =>
      run.environments
        .flatMap(({ proofs }) => proofs[arm] ?? [])
        .filter(({ name }) => name.startsWith('requests on the wire'))
    const share = (arm: string) => {
      const all = looks(arm)
      return all.filter(({ actual }) => actual === 'clear').length / all.length
    }
    return [
      ['nftables/l4-kernel', 1],
      ['reference/l4-only', 0],
    ].map(([arm, expected]): Answer => ({
      check: 'plaintext',
      what: `${arm}, ${looks(String(arm)).length} looks at the packets: share in which the request could be read`,
      unit: '',
      expected: Number(expected),
      measured: share(String(arm)),
    }))
  } catch (error) {
    return notHere(messageOf(error))
  }
}

function notHere(reason: string): Answer[] {
  console.error(`plaintext: not looked at: ${reason}`)
  return []
}
