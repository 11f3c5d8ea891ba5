/** What `meshbench clean` asks of a cluster that it did not make, and what it leaves alone. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { machineName } from '../cluster/render/names.js'
import { fakeProgram } from '../cluster/api/testing.js'
import { namespaceLeftovers } from './clean.js'

let folder: string
const commands = async () =>
  (await readFile(join(folder, 'log'), 'utf8').catch(() => '')).split('\n').filter(Boolean)

/** A kubectl that answers as told by what it is asked, and notes what that was. */
const kubectlThat = (cases: string) =>
  fakeProgram(folder, 'kubectl', `echo "$*" >> ${join(folder, 'log')}\ncase "$*" in\n${cases}\nesac`)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshbench-clean-'))
  vi.stubEnv('PATH', folder)
  vi.stubEnv('MESHBENCH_CACHE', join(folder, 'cache'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const namespace = (name: string, run: string, more = {}) => ({
  metadata: { name, labels: { 'meshbench.run': run }, ...more },
})
const list = JSON.stringify({
  items: [
    namespace('mb-run-1-a', 'run-1'),
    namespace('mb-run-1-b', 'run-1'),
    namespace('mb-run-2-a', 'run-2'),
    namespace('mb-run-0-a', 'run-0', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  ],
})
const answers = `*current-context*) echo lab ;;\n*get*) echo '${list}' ;;`

it('finds labelled namespaces of the current context by run, but for those that are going already', async () => {
  await kubectlThat(answers)
  const found = await namespaceLeftovers()
  expect(found.map(({ runId, title }) => [runId, title])).toEqual([
    ['run-1', '2 namespaces of the context lab'],
    ['run-2', '1 namespaces of the context lab'],
  ])
  // Those of other machines' runs, which may be alive, only for who names the run.
  expect((await commands()).at(-1)).toContain(` -l meshbench.run,meshbench.machine=${machineName()} `)
  await namespaceLeftovers('run-1')
  expect((await commands()).at(-1)).toContain(' -l meshbench.run=run-1 ')
})

it('removes these namespaces by name on the context where they were found, and their pods at once', async () => {
  await kubectlThat(answers)
  const [first] = await namespaceLeftovers()
  const before = (await commands()).length
  await first?.remove()
  const said = (await commands()).slice(before)
  expect(said.every((command) => command.startsWith('--context lab delete '))).toBe(true)
  expect(said.map((command) => command.replace(/ --(ignore|timeout|grace).*?(?= --wait)/, ''))).toEqual([
    expect.stringContaining('delete namespaces mb-run-1-a mb-run-1-b --wait=false'),
    expect.stringContaining('delete pods --all -n mb-run-1-a'),
    expect.stringContaining('delete pods --all -n mb-run-1-b'),
    expect.stringContaining('delete namespaces mb-run-1-a mb-run-1-b --wait=true'),
  ])
})

it('is silent without kubectl, without a context and without an answer', async () => {
  expect(await namespaceLeftovers()).toEqual([])
  await kubectlThat('*) exit 1 ;;')
  expect(await namespaceLeftovers()).toEqual([])
  expect(await commands()).toEqual(['config current-context'])
  await kubectlThat('*current-context*) echo lab ;;\n*) exit 1 ;;')
  expect(await namespaceLeftovers()).toEqual([])
})
