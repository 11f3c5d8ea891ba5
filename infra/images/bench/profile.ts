/**
 * `npm run bench:profile`: where the CPU time of our hops goes, by V8's sampling profiler under the bench's own load.
 *
 *     npm run bench:profile -- [--subject 'proxy HTTP'] [--load requests|bulk] [--seconds 5] [--top 25]
 *
 * The programs are bundled without renaming, so the names are those of the source. `(program)` is native code outside
 * JavaScript, system calls included; `(garbage collector)` and `(idle)` are what they say.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createWorkspace } from '../kit/testing.js'
import { cpuNs, download, drive } from './measure.js'
import { startApplication } from './peers.js'
import { l4Subjects } from './subjects-l4.js'
import { l7Subjects } from './subjects-l7.js'

const { values } = parseArgs({
  options: {
    subject: { type: 'string', default: 'proxy HTTP' },
    load: { type: 'string', default: 'requests' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '16' },
    top: { type: 'string', default: '25' },
  },
})

/** What `--cpu-prof` writes, as far as it is used here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Self time in ms by function, most first. */
function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): [string, number][] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'}${url === '' ? '' : ` ${url.replace(/^.*\//, '').replace(/-[0-9a-f]{12}/, '')}:${lineNumber + 1}`}`,
    ]),
  )
  const times = new Map<string, number>()
  for (const [i, sample] of samples.entries()) {
    const name = names.get(sample) ?? '?'
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0) / 1000)
  }
  return [...times].sort(([, a], [, b]) => b - a)
}

const subject = [...l4Subjects, ...l7Subjects].find(({ name }) => name === values.subject)
if (subject === undefined) throw new Error(`--subject: "${values.subject}" is no subject of the bench`)
const workspace = createWorkspace()
const application = await startApplication(workspace, 2 ** 30)
try {
  const running = await subject.start(workspace, application.address, [
    '--cpu-prof',
    `--cpu-prof-dir=${workspace.dir}/profiles`,
    '--cpu-prof-interval=200',
  ])
  const before = running.hops.map(({ pid }) => cpuNs(pid))
  let units: number
  if (values.load === 'bulk') units = (await download(running.entry, '/large')).bytes / 2 ** 30
  else units = (await drive(running.entry, Number(values.connections), Number(values.seconds))).requests
  for (const [i, { name, pid }] of running.hops.entries()) {
    const us = (cpuNs(pid) - (before[i] as number)) / 1000 / units
    console.log(`${name}: ${us.toFixed(1)} µs of CPU per ${values.load === 'bulk' ? 'GiB' : 'request'}`)
  }
  await running.stop('SIGTERM')
  for (const file of readdirSync(join(workspace.dir, 'profiles'))) {
    const times = selfTimes(
      JSON.parse(readFileSync(join(workspace.dir, 'profiles', file), 'utf8')) as CpuProfile,
    )
    const busy = times.filter(([name]) => name !== '(idle)').reduce((sum, [, ms]) => sum + ms, 0)
    console.log(`\n${file}: ${busy.toFixed(0)} ms busy`)
    for (const [name, ms] of times.slice(0, Number(values.top))) {
      console.log(`${((ms / busy) * 100).toFixed(1).padStart(6)} %  ${ms.toFixed(0).padStart(6)} ms  ${name}`)
    }
  }
} finally {
  await application.stop()
  workspace.remove()
}
