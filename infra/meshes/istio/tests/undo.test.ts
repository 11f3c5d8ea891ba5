/** What Istio takes away again: of a cluster that is somebody's, and of one that is kept. */
import { describe, expect, test } from 'vitest'
import { UserError } from '../../../../harness/model/errors.js'
import { openScope } from '../../../../harness/process/scope.js'
import { MeshInstallError } from '../../clusters/install-errors.js'
import { commandsOf, golden, scriptOf, transcript, pinnedCache } from '../../clusters/testing.js'
import { transcriptCluster } from '../../testdata/transcript-cluster.js'
import { istioAmbient, istioSidecar } from '../istio.js'
import { contextOn } from './testing.js'

describe('on a cluster that is somebody’s', () => {
  const asked = '$ kubectl get namespaces,customresourcedefinitions,* -o name'
  const others = 'namespace/default\ncustomresourcedefinition.apiextensions.k8s.io/cronjobs.example.com'
  const marking = '$ kubectl create -f -\nnamespace/istio-system created\n'
  const ours =
    'namespace/istio-system\ncustomresourcedefinition.apiextensions.k8s.io/gateways.networking.istio.io'
  /** Where the Gateway API is made with the run's marks. */
  const onTheirs = (text: string) =>
    text.replace(
      /\$ kubectl apply --server-side -f (\*\S+)/,
      '$ kubectl label --local -f $1 *\nkind: marked\n$ kubectl apply --server-side -f -',
    )
  const undone = ['$* helm uninstall *', '$* kubectl delete *', `${asked}\n${others}\n${ours}`, ''].join('\n')
  /** Installs, or fails to, and takes down again. */
  async function installAndUndo(mesh: typeof istioAmbient, text: string) {
    const cluster = transcriptCluster(text, { isOwn: false })
    const scope = openScope({ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal })
    const error = await mesh.install(contextOn(cluster, mesh, { scope })).then(
      () => undefined,
      (reason: unknown) => reason as UserError,
    )
    const installed = cluster.commands.length
    cluster.goOn(undone)
    expect(await scope.close()).toEqual([])
    const commands = commandsOf(cluster)
    const inputs = cluster.commands.map(({ input = '' }) => input)
    return { error, inputs, before: commands.slice(0, installed), after: commands.slice(installed) }
  }

  test('everything that was installed is taken away again, last first, and nothing else', async () => {
    const { error, after } = await installAndUndo(
      istioAmbient,
      `${asked}\n${others}\n${marking}${onTheirs(transcript('istio-ambient-install'))}`,
    )
    expect(error).toBeUndefined()
    await expect(scriptOf(after)).toMatchFileSnapshot(golden('istio-ambient-undo-commands.txt'))
  })

  test('what it makes for the whole cluster has the marks of the run, from before the first chart on', async () => {
    const { before, inputs } = await installAndUndo(
      istioAmbient,
      `${asked}\n${others}\n${marking}${onTheirs(transcript('istio-ambient-install'))}`,
    )
    const at = (pattern: RegExp) => before.findIndex((command) => pattern.test(command))
    expect(JSON.parse(inputs[at(/create -f -/)] ?? '')).toMatchObject({
      kind: 'Namespace',
      metadata: {
        name: 'istio-system',
        labels: { 'meshbench.run': 'r', 'meshbench.machine': 'm', 'meshbench.mesh': 'istio-ambient' },
      },
    })
    expect(before[at(/label --local/)]).toContain(' meshbench.run=r meshbench.machine=m -o json')
    expect(inputs[at(/apply --server-side -f -$/)]).toBe('kind: marked')
    expect(at(/create -f -/)).toBeLessThan(at(/label --local/))
    expect(at(/label --local/)).toBeLessThan(at(/^helm/))
  })

  test('a Gateway API that is there stays as it is', async () => {
    const crd = JSON.stringify({
      metadata: { annotations: { 'gateway.networking.k8s.io/bundle-version': 'v1.9.0' } },
    })
    const text = transcript('istio-ambient-install').replace(
      /(gateways.gateway.networking.k8s.io -o json\n)! 1\n.*/,
      `$1${crd}`,
    )
    const { error, before, after } = await installAndUndo(
      istioAmbient,
      `${asked}\n${others}\n${marking}${text}`,
    )
    expect(error).toBeUndefined()
    expect([...before, ...after].filter((command) => command.includes('gateway-api-'))).toEqual([])
  })

  test('what a failed installation left goes, too', async () => {
    const text = transcript('failures/helm-timeout-silent')
    const { error, after } = await installAndUndo(istioSidecar, `${asked}\n${others}\n${marking}${text}`)
    expect(error).toBeInstanceOf(MeshInstallError)
    expect(after).toContain('helm uninstall istio-base --namespace istio-system --ignore-not-found')
  })

  test.each([
    ['', /on the cluster already, or what is left of one.*namespace\/istio-system/, /--platform kind/],
    ['run-1', /which the run run-1 made: namespace\/istio-system/, /`meshbench clean run-1` takes it away/],
  ])(
    'an Istio that is there is refused, and left alone, made by the run "%s"',
    async (run, message, hint) => {
      const owner = `$ kubectl get namespace istio-system --ignore-not-found -o jsonpath={.metadata.labels.meshbench\\.run}`
      const text = `${asked}\n${others}\n${ours}\n${owner}\n${run}\n`
      const { error, before, after } = await installAndUndo(istioSidecar, text)
      expect(error?.message).toMatch(message)
      expect(error?.hint).toMatch(hint)
      expect(before.filter((command) => !command.startsWith('kubectl get '))).toEqual([])
      expect(after).toEqual([])
    },
  )
})

test('what the user has laid over it goes from a cluster that is kept, and the mesh stays', async () => {
  const settings = { cacheDir: pinnedCache, manifests: ['filter.yaml'] }
  const undoneOn = async (isKept: boolean) => {
    const more = '$ kubectl apply --server-side -f filter.yaml\n$* kubectl delete secrets *\n'
    const cluster = transcriptCluster(transcript('istio-sidecar-install') + more, { isKept })
    const scope = openScope({ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal })
    await istioSidecar.install(contextOn(cluster, istioSidecar, { settings, scope }))
    const installed = cluster.commands.length
    cluster.goOn('$ kubectl delete *\n')
    expect(await scope.close()).toEqual([])
    return commandsOf(cluster).slice(installed)
  }
  expect(await undoneOn(true)).toEqual(['kubectl delete --ignore-not-found --wait=false -f filter.yaml'])
  expect(await undoneOn(false)).toEqual([])
})

test('what an interrupted run left of helm’s does not lock a cluster that was kept', async () => {
  const text = `${transcript('istio-sidecar-install')}$* kubectl delete secrets *\n`
  const cluster = transcriptCluster(text, { isKept: true })
  await istioSidecar.install(contextOn(cluster, istioSidecar))
  const commands = commandsOf(cluster)
  const pending = 'status in (pending-install,pending-upgrade,pending-rollback)'
  const unlocking = commands.indexOf(
    `kubectl delete secrets -n istio-system -l owner=helm,name=istiod,${pending}`,
  )
  expect(unlocking).toBeGreaterThan(0)
  expect(commands[unlocking + 1]).toMatch(/^helm upgrade --install istiod /)
})
