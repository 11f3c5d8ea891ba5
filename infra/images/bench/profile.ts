/**
 * `npm run bench:profile`: where the CPU time of our hops goes, by V8's sampling profiler under the bench's own load.
 *
 *     npm run bench:profile -- [--family l7] [--subject proxy] [--load saturated|/s|body] [--seconds 5] [--top 25]
 *
 * The subject is the family's first of ours whose name holds `--subject`, the load its first that holds `--load`.
 * The programs are bundled without renaming, so the names are those of the source. `(program)` is native code outside
 * JavaScript, system calls included; `(garbage collector)` and `(idle)` are what they say.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createWorkspace } from '../kit/testing.js'
import { readFlags } from './flags.js'
import { createFamilies, measure } from './peers/families.js'
import { startApplications } from './peers/programs.js'

const flags = readFlags({ family: 'l7', subject: '', load: 'saturated', seconds: 5, top: 25 })

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

const workspace = createWorkspace()
const family = createFamilies(workspace, 1000, 2 ** 30).find(({ name }) => name === flags.family)
const subject = family?.subjects.find(
  ({ name }) => /^(proxy|tunnel)/.test(name) && name.includes(flags.subject),
)
const load = family?.loads.find(({ name }) => name.includes(flags.load))
if (family === undefined || subject === undefined || load === undefined) {
  throw new Error('--family, --subject or --load: there is none of that name in the bench')
}
const applications = await startApplications(workspace, 2 ** 30, [family.application])
try {
  const running = await subject.start(workspace, applications[family.application], [
    '--cpu-prof',
    `--cpu-prof-dir=${workspace.dir}/profiles`,
    '--cpu-prof-interval=200',
  ])
  const { hopCpuUs } = await measure(load, running, flags.seconds)
  for (const [i, { name }] of running.hops.entries())
    console.log(`${name}: ${hopCpuUs[i]?.toFixed(1)} µs of CPU per ${load.unit ?? 'request'}`)
  await running.stop('SIGTERM')
  for (const file of readdirSync(join(workspace.dir, 'profiles'))) {
    const times = selfTimes(
      JSON.parse(readFileSync(join(workspace.dir, 'profiles', file), 'utf8')) as CpuProfile,
    )
    const busy = times.filter(([name]) => name !== '(idle)').reduce((sum, [, ms]) => sum + ms, 0)
    console.log(`\n${file}: ${busy.toFixed(0)} ms busy`)
    for (const [name, ms] of times.slice(0, flags.top)) {
      console.log(`${((ms / busy) * 100).toFixed(1).padStart(6)} %  ${ms.toFixed(0).padStart(6)} ms  ${name}`)
    }
  }
} finally {
  await applications.stop()
  workspace.remove()
}
