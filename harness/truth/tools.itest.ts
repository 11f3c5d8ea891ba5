/** Every tool of others before the server of known truth; those that are not there are installed by their ordinary clients. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageOf } from '../model/errors.js'
import { findProgram, run } from '../process/exec.js'
import { attempt, type Bench } from './attempt.js'
import { latencyPercentile, reportedTotal } from './figures.js'
import { countFate } from './log.js'
import { scenarios } from './scenarios.js'
import { buildServer } from './server.js'
import { listSubjects } from './subjects.js'

type Source =
  | { readonly client: 'go' | 'cargo'; readonly module: string }
  /** The package first, and those of the libraries that a usual system does not have. */
  | { readonly client: 'apt-get'; readonly packages: readonly string[] }

const go = (module: string): Source => ({ client: 'go', module })
const debian = (...packages: string[]): Source => ({ client: 'apt-get', packages })
const sources: Readonly<Record<string, Source | undefined>> = {
  wrk: debian('wrk', 'libluajit-5.1-2'),
  ab: debian('apache2-utils', 'libapr1', 'libaprutil1'),
  h2load: debian('nghttp2-client', 'libc-ares2', 'libev4', 'libjemalloc2', 'libnghttp2-14'),
  hey: go('github.com/rakyll/hey@latest'),
  fortio: go('fortio.org/fortio@v1.66.5'),
  vegeta: go('github.com/tsenart/vegeta/v12@latest'),
  bombardier: go('github.com/codesenberg/bombardier@latest'),
  plow: go('github.com/six-ddc/plow@latest'),
  k6: go('go.k6.io/k6@v1.8.1'),
  oha: { client: 'cargo', module: 'oha' },
}

const extended = process.env['MESHBENCH_TEST_EXTENDED'] === '1'
const compiler = (await findProgram('cc')) ?? (await findProgram('gcc'))
const unable = !extended
  ? 'MESHBENCH_TEST_EXTENDED is not 1 (it compiles load tools)'
  : process.platform === 'linux' && compiler
    ? undefined
    : 'no C compiler, or no Linux, for the server of known truth'
if (unable !== undefined) console.log(`skipped: ${unable}`)

const root = mkdtempSync(join(tmpdir(), 'truth-tools-'))
const bin = join(root, 'bin')
const runId = `truth-tools-${process.pid}`
const installMs = 15 * 60_000
let bench: Bench
/** The PATH of before is looked at first: what is installed serves alone what is not there. */
const path = process.env['PATH'] ?? ''

beforeAll(async () => {
  if (unable !== undefined) return
  mkdirSync(bin)
  process.env['PATH'] = `${path}${delimiter}${bin}`
  bench = { folder: root, runId, program: await buildServer(root, runId) }
})
afterAll(() => {
  process.env['PATH'] = path
  rmSync(root, { recursive: true, force: true })
})

describe.skipIf(unable !== undefined)('a tool of others', () => {
  for (const subject of listSubjects('').filter(({ program }) => program !== undefined))
    it(
      `${subject.name} is asked, read and judged by what the server saw`,
      async (test) => {
        const program = subject.program as string
        const lacking = await provide(subject.name, program)
        if (lacking !== undefined) {
          console.log(`skipped: ${program} ${lacking}`)
          return test.skip()
        }
        const late = await attempt(subject, scenarios['delay-5ms'], bench)
        expect(late.failure).toBeUndefined()
        expect(late.report?.ok).toBeGreaterThan(0)
        // What it reports has come; what has come may have been in flight when its time was up.
        expect(reportedTotal(late.report!)).toBeLessThanOrEqual(late.log.requests.length)
        // autocannon halves what is longer than 1 ms by times that it makes up; see its notes.
        expect(latencyPercentile(late, 50)).toBeGreaterThan(subject.name === 'autocannon' ? 1900 : 4900)
        const failing = await attempt(subject, scenarios.errors, bench)
        expect(failing.failure).toBeUndefined()
        expect(countFate(failing.log, 'error')).toBeGreaterThan(0)
        expect(reportedTotal(failing.report!) - failing.report!.ok).toBeGreaterThan(0)
      },
      installMs + 60_000,
    )
})

/** Undefined when the program can be run; otherwise why it is not to be had. */
async function provide(name: string, program: string): Promise<string | undefined> {
  if ((await findProgram(program)) !== undefined) return undefined
  const source = sources[name]
  if (!source) return 'is in no package of an ordinary client: it has to be built by hand'
  if ((await findProgram(source.client)) === undefined)
    return `is not there, and ${source.client} is not, either`
  try {
    await install(program, source)
  } catch (error) {
    return `cannot be installed by ${source.client}: ${messageOf(error)}`
  }
  return (await findProgram(program)) === undefined ? `was not in what ${source.client} installed` : undefined
}

async function install(program: string, source: Source): Promise<void> {
  if (source.client === 'apt-get') return unpack(program, source.packages)
  const command =
    source.client === 'go'
      ? ['env', `GOBIN=${bin}`, 'go', 'install', source.module]
      : ['cargo', 'install', '--locked', '--root', root, source.module]
  await run(command, { timeoutMs: installMs })
}

/** Unpacked into a folder, so that no right is needed and nothing of the system is changed. */
async function unpack(program: string, packages: readonly string[]): Promise<void> {
  const folder = join(root, program)
  mkdirSync(folder)
  await run(['sh', '-c', 'cd "$1" && shift && apt-get download "$@"', 'sh', folder, ...packages], {
    timeoutMs: 120_000,
  })
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.deb')))
    await run(['dpkg-deb', '-x', join(folder, file), folder])
  const libraries = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib']
    .map((each) => join(folder, each))
    .join(':')
  const wrapper = join(bin, program)
  writeFileSync(
    wrapper,
    `#!/bin/sh\nLD_LIBRARY_PATH=${libraries} exec ${join(folder, 'usr/bin', program)} "$@"\n`,
  )
  chmodSync(wrapper, 0o755)
}
