/** What `meshbench clean` asks of a cluster that it did not make, and what it leaves alone. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { machineName } from '../cluster/render/names.js'
import { fakeProgram } from '../cluster/api/testing.js'
import { contextLeftovers } from './clean.js'

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
const answers = `*current-context*) echo lab ;;\n*get\\ namespaces*) echo '${list}' ;;`

it('finds labelled namespaces of the current context by run, but for those that are going already', async () => {
  await kubectlThat(answers)
  const found = await contextLeftovers()
  expect(found.map(({ runId, title }) => [runId, title])).toEqual([
    ['run-1', '2 namespaces of the context lab'],
    ['run-2', '1 namespace of the context lab'],
  ])
  // Those of other machines' runs, which may be alive, only for who names the run.
  const selecting = async () => (await commands()).filter((command) => command.includes(' get '))
  const before = await selecting()
  expect(before).toHaveLength(2)
  for (const command of before)
    expect(command).toContain(` -l meshbench.run,meshbench.machine=${machineName()} `)
  await contextLeftovers('run-1')
  const named = (await selecting()).slice(2)
  expect(named).toHaveLength(2)
  for (const command of named) expect(command).toContain(' -l meshbench.run=run-1 ')
})

it('removes these namespaces by name on the context where they were found, and their pods at once', async () => {
  await kubectlThat(answers)
  const [first] = await contextLeftovers()
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

const istio = JSON.stringify({
  items: [
    namespace('mb-run-1-a', 'run-1'),
    {
      metadata: {
        name: 'istio-system',
        labels: { 'meshbench.run': 'run-1', 'meshbench.mesh': 'istio-ambient' },
      },
    },
  ],
})
const wide = [
  'apiextensions.k8s.io/v1 CustomResourceDefinition gateways.gateway.networking.k8s.io',
  'admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy safe-upgrades',
]
const pieces = [
  'namespace/default',
  'namespace/istio-system',
  'customresourcedefinition/peers.security.istio.io',
]
const withIstio = (gateways = '') => [
  '*current-context*) echo lab ;;',
  `*get\\ namespaces\\ *) echo '${istio}' ;;`,
  `*get\\ customresourcedefinitions*jsonpath*) printf '%s\\n' ${wide.map((object) => `'run-1 ${object}'`).join(' ')} ;;`,
  `*get\\ namespaces,*) printf '%s\\n' ${pieces.join(' ')} ;;`,
  `*get\\ gateways*) echo '${gateways}' ;;`,
]

it('takes an Istio away that has the mark of a killed run, as the end of a run does, and nothing of others', async () => {
  await kubectlThat(withIstio().join('\n'))
  await fakeProgram(folder, 'helm', `echo "helm $*" >> ${join(folder, 'log')}`)
  const [first, ...more] = await contextLeftovers('run-1')
  expect(more).toEqual([])
  expect(first?.title).toBe('1 namespace, istio-ambient, 2 objects of the whole cluster of the context lab')
  const before = (await commands()).length
  await first?.remove()
  const changing = (await commands())
    .slice(before)
    .filter((command) => !command.includes(' get '))
    .map((command) => command.replace(/^(helm )?--(kube-)?context lab /, '$1').replace(/ --.*/, ''))
  expect(changing).toEqual([
    ...['delete namespaces mb-run-1-a', 'delete pods', 'delete namespaces mb-run-1-a'],
    ...['ztunnel', 'istio-cni', 'istiod', 'istio-base'].map((release) => `helm uninstall ${release}`),
    ...['delete configmaps', 'delete configmaps'],
    'delete gatewayclasses istio istio-remote istio-waypoint',
    'delete namespace/istio-system customresourcedefinition/peers.security.istio.io',
    'delete customresourcedefinition/gateways.gateway.networking.k8s.io validatingadmissionpolicy/safe-upgrades',
  ])
})

it('manifests of the user, which lie outside of what a run makes itself, go before the mesh that reads them', async () => {
  const laid = [
    'scheduling.k8s.io/v1 PriorityClass first ',
    'networking.istio.io/v1 Gateway shop web',
    'v1 ConfigMap plain web',
    'v1 ConfigMap ca istio-system',
  ]
  const kinds = 'configmaps priorityclasses.scheduling.k8s.io pods namespaces gateways.networking.istio.io'
  const cases = [
    `*api-resources*) printf '%s\\n' ${kinds} ;;`,
    `*get\\ configmaps,priorityclasses.scheduling.k8s.io,gateways.networking.istio.io\\ *) printf '%s\\n' ${laid.map((object) => `'run-1 ${object}'`).join(' ')} ;;`,
  ]
  await kubectlThat([...cases, ...withIstio()].join('\n'))
  await fakeProgram(folder, 'helm', `echo "helm $*" >> ${join(folder, 'log')}`)
  const [first] = await contextLeftovers('run-1')
  expect(first?.title).toMatch(/2 objects of the whole cluster, 3 objects from manifests of the context lab$/)
  const before = (await commands()).length
  await first?.remove()
  const changing = (await commands()).slice(before).filter((command) => !command.includes(' get '))
  const deleted = [
    'priorityclass.v1.scheduling.k8s.io/first',
    'gateway.v1.networking.istio.io/shop -n web',
    'configmap/plain -n web',
  ].map((object) => `--context lab delete ${object} --ignore-not-found --wait=false`)
  const start = changing.indexOf(deleted[0] as string)
  expect(changing.slice(start, start + 3)).toEqual(deleted)
  expect(changing[start + 3]).toMatch(/^helm .*uninstall ztunnel/)
})

it('finds them also where not every kind can be told or listed, as where an extension of the API server is down', async () => {
  const down =
    'echo "error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1" >&2; exit 1'
  const cases = [
    `*api-resources*) printf '%s\\n' configmaps secrets; ${down} ;;`,
    `*get\\ configmaps,secrets\\ *) echo 'run-1 v1 ConfigMap plain web'; ${down} ;;`,
  ]
  await kubectlThat([...cases, answers].join('\n'))
  const [first] = await contextLeftovers('run-1')
  expect(first?.title).toBe('2 namespaces, 1 object from manifests of the context lab')
})

it('definitions stay by which somebody has made objects since', async () => {
  await kubectlThat(withIstio('gateway.gateway.networking.k8s.io/shop').join('\n'))
  await fakeProgram(folder, 'helm', '')
  const [first] = await contextLeftovers('run-1')
  await expect(first?.remove()).rejects.toThrow(
    /the whole cluster stay.*such as gateway\.gateway\.networking\.k8s\.io\/shop.*kubectl label/,
  )
  expect((await commands()).filter((command) => command.includes('delete customresourcedefinition'))).toEqual(
    [],
  )
})

it('is silent without kubectl, without a context and without an answer', async () => {
  expect(await contextLeftovers()).toEqual([])
  await kubectlThat('*) exit 1 ;;')
  expect(await contextLeftovers()).toEqual([])
  expect(await commands()).toEqual(['config current-context'])
  await kubectlThat('*current-context*) echo lab ;;\n*) exit 1 ;;')
  expect(await contextLeftovers()).toEqual([])
})
