import { describe, expect, it } from 'vitest'
import { CommandError } from '../../../harness/model/errors.js'
import { paths } from '../../../scenarios/paths/index.js'
import { armStates, waitsForSidecar } from './arms.js'
import { misplaced } from './usage/components.js'
import { parseResourceMetrics, usageFromKubelets } from './usage/kubelet-usage.js'
import { ApiError } from './api/api-proxy.js'
import { lastWarnings } from './api/events.js'
import { isTransient, reasonOf, renderList } from './api/kubectl.js'
import { dnsLabel, labelValue } from './render/names.js'
import { execArguments } from './api/pod-exec.js'
import { containerId, containersOf, describePod, isReady, matches, PodWatch } from './api/pods.js'
import { recordedEvents, recordedPod, recordedText, type PodState } from './testdata/recorded.js'

const waypoint = recordedPod('ready', {
  ...{ name: 'waypoint-1', namespace: 'bench', nodeName: 'c-worker3' },
  labels: { app: 'wp', tier: 'l7' },
})

describe('names', () => {
  it('makes DNS labels that stay apart when they are cut', () => {
    expect(dnsLabel('mb', 'reference/l4-l7-l4@v 2')).toBe('mb-reference-l4-l7-l4-v-2')
    const [a, b] = [dnsLabel('x'.repeat(80), 'a'), dnsLabel('x'.repeat(80), 'b')]
    expect(a).toHaveLength(63)
    expect(a).not.toBe(b)
  })

  it('keeps a run id that is a label value as it is', () => {
    expect(labelValue('2026-01-01t10-00-00-abc')).toBe('2026-01-01t10-00-00-abc')
    expect(labelValue('a/b')).toBe('a-b')
  })
})

describe('pods', () => {
  it('matches every term of a selector', () => {
    expect(matches(waypoint, 'app=wp')).toBe(true)
    expect(matches(waypoint, 'app=wp,tier=l4')).toBe(false)
    expect(() => matches(waypoint, 'app in (a,b)')).toThrow(/key=value/)
  })

  it('is not ready on its way out', () => {
    expect(isReady(recordedPod('ready'))).toBe(true)
    expect(isReady(recordedPod('leaving'))).toBe(false)
  })

  it('takes the id out of containerID', () => {
    const [status] = containersOf(recordedPod('ready'))
    expect(containerId(status!)).toMatch(/^[0-9a-f]{64}$/)
    expect(status?.containerID).toBe(`containerd://${containerId(status!)}`)
    const id = 'a'.repeat(64)
    expect(containerId({ ...status!, containerID: `cri-o://${id}` })).toBe(id)
    // Of a container that was never made.
    const [unmade] = recordedPod('config-error').status.containerStatuses ?? []
    expect(containerId(unmade!)).toBeUndefined()
  })

  it.each<[PodState, string]>([
    ['image-never', 'proxy waits: ErrImageNeverPull Container image "meshbench/proxy:nope" is not present'],
    ['image-first', 'echo waits: ErrImagePull failed to pull and unpack image "registry.example/echo:1"'],
    ['init-image-backoff', 'istio-proxy waits: ImagePullBackOff Back-off pulling image "registry.example/'],
    ['init-crash-backoff', 'istio-proxy waits: CrashLoopBackOff back-off 1s restarting failed container'],
    ['crash-backoff', 'echo waits: CrashLoopBackOff back-off 1s restarting failed container'],
    ['config-error', 'echo waits: CreateContainerConfigError secret "missing" not found'],
    ['command-missing', 'echo waits: RunContainerError failed to create containerd task'],
  ])('says why a container does not start: %s', (state, why) => {
    const pod = recordedPod(state)
    expect(describePod(pod)).toContain(`${pod.metadata.name}: container ${why}`)
  })

  it('says why it is nowhere', () => {
    expect(describePod(recordedPod('unschedulable'))).toMatch(
      /^unschedulable: Pending, 0\/4 nodes are available: 1 Insufficient memory, 3 node\(s\) had untolerated taint/,
    )
  })

  it('are watched for whoever asks after a listing that failed', async () => {
    let tries = 0
    const proxy = {
      async json() {
        if (++tries === 1) throw new Error('GET took more than 10000 ms')
        return { metadata: { resourceVersion: '1' }, items: [waypoint] }
      },
      stream: () => new Promise(() => {}),
    }
    const watch = new PodWatch(proxy as never)
    await expect(watch.watch('bench')).rejects.toThrow('took more than')
    await watch.watch('bench')
    expect(watch.find('bench', 'app=wp')).toHaveLength(1)
    watch.close()
  })

  it('notices a pod on another node', () => {
    const nodes = { client: 'c-worker', server: 'c-worker2', waypoint: 'c-worker3' }
    expect(misplaced([waypoint], 'waypoint', nodes)).toBeUndefined()
    expect(misplaced([waypoint], 'server', nodes)).toBe('waypoint-1 is on c-worker3 and not on c-worker2')
  })
})

describe('arms', () => {
  const arm = {
    id: 'reference/l7-sidecar-to-sidecar',
    mesh: 'reference',
    path: 'l7-sidecar-to-sidecar',
  } as never

  it('waits for our own sidecars, and never for those that a mesh injects', () => {
    const path = paths['l7-sidecar-to-sidecar']
    const state = armStates('mb')(arm)
    expect(waitsForSidecar(state, path, 'inbound')).toBe(true)
    expect(waitsForSidecar(state, path, 'outbound')).toBe(true)
    expect(waitsForSidecar(state, paths['l4-only'], 'inbound')).toBe(false)
    state.shape = {}
    expect(waitsForSidecar(state, path, 'inbound')).toBe(false)
  })

  it('gives each arm a namespace of its own', () => {
    const stateOf = armStates('mb-run')
    expect(stateOf(arm).namespace).toBe('mb-run-reference-l7-sidecar-to-sidecar')
    expect(stateOf(arm)).toBe(stateOf(arm))
  })
})

describe('kubectl', () => {
  it('gives the end of what a command said as the reason', () => {
    const end = { code: 1, signal: null, tail: 'a\nb\nc\nError from server (NotFound): x' }
    expect(reasonOf(new CommandError(['kubectl'], end))).toBe('Error from server (NotFound): x')
  })

  it('tries again when the API server was busy, and not when it refused', () => {
    const failed = (tail: string) => new CommandError(['kubectl'], { code: 1, signal: null, tail })
    expect(isTransient(failed('Get "https://127.0.0.1:1/": net/http: TLS handshake timeout'))).toBe(true)
    expect(isTransient(failed('Error from server: etcdserver: request timed out'))).toBe(true)
    expect(isTransient(failed('The Deployment "x" is invalid: spec: Required value'))).toBe(false)
    expect(isTransient(new Error('TLS handshake timeout'))).toBe(false)
  })

  it('puts objects into one list, in order', () => {
    expect(JSON.parse(renderList([{ kind: 'A' }, { kind: 'B' }]))).toEqual({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ kind: 'A' }, { kind: 'B' }],
    })
  })

  it('does not pretend to set an environment in a pod', () => {
    const target = { namespace: 'n', pod: 'p', container: 'c' }
    expect(execArguments(target, { argv: ['node', '-v'] })).toEqual(
      'exec -i -n n p -c c -- node -v'.split(' '),
    )
    expect(() => execArguments(target, { argv: ['node'], env: { A: '1' } })).toThrow(/environment/)
  })
})

describe('kubelet usage', () => {
  const text = recordedText('resource.prom')
  const ref = {
    ...{ id: 'i', ready: true, nodeName: 'n' },
    ...{ namespace: 'kube-system', pod: 'kindnet-zcvv8', container: 'kindnet-cni' },
  }

  it('reads the container that is meant, and states its resolution', () => {
    expect(parseResourceMetrics(text, [ref]).get('i')).toEqual({
      cpuNs: 954_760_185,
      rssBytes: 21_352_448,
      source: 'kubelet',
      resolutionNs: 15e9,
    })
  })

  it('says nothing of a container that is not there', () => {
    for (const other of [{ pod: 'kindnet-8xhd5' }, { namespace: 'bench' }, { container: 'kube-proxy' }])
      expect(parseResourceMetrics(text, [{ ...ref, ...other }]).size).toBe(0)
  })

  it('leaves out the node whose kubelet does not answer, and no other', async () => {
    const usage = usageFromKubelets({
      async get(path) {
        if (path.includes('/nodes/n/')) return text
        throw new ApiError(path, 503, 'error trying to reach service')
      },
    })
    const other = { ...ref, id: 'j', nodeName: 'm' }
    expect([...(await usage([ref, other], [])).keys()]).toEqual(['i'])
    const refused = usageFromKubelets({
      get: (path) => Promise.reject(new ApiError(path, 403, 'cannot get resource "nodes/proxy"')),
    })
    await expect(refused([ref], [])).rejects.toThrow('answered 403 cannot get resource "nodes/proxy"')
  })
})

describe('what the cluster says of a failure', () => {
  const failed = (tail: string) => new CommandError(['kubectl'], { code: 1, signal: null, tail })

  it('is its cause, not the advice below it', () => {
    const tail = [
      'E1128 09:39:14.069297   10649 memcache.go:265] "Unhandled Error" err=<',
      "\tcouldn't get current server API group list: getting credentials: exec: executable no-such-helper not found",
      '\t',
      '\tIt looks like you are trying to use a client-go credential plugin that is not installed.',
      ' >',
      'Unable to connect to the server: getting credentials: exec: executable no-such-helper not found',
      '',
      'It looks like you are trying to use a client-go credential plugin that is not installed.',
      '',
      'To learn more about this feature, consult the documentation available at:',
      '      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins',
    ].join('\n')
    expect(reasonOf(failed(tail))).toBe(
      'Unable to connect to the server: getting credentials: exec: executable no-such-helper not found',
    )
    expect(reasonOf(failed('one\ntwo\nthree\nfour'))).toBe('two three four')
  })

  it('is the last warning about a pod that says nothing itself', async () => {
    const kubectl = { json: async <T>() => ({ items: recordedEvents('pods') }) as T }
    const of = (name: string) => ({ metadata: { name } })
    expect(await lastWarnings(kubectl, 'states', [of('volume'), of('other'), of('unschedulable')])).toEqual([
      'FailedMount: MountVolume.SetUp failed for volume "v" : secret "missing" not found',
      expect.stringMatching(/^FailedScheduling: 0\/4 nodes are available: 1 Insufficient memory, /),
    ])
    const silent = { json: () => Promise.reject(new Error('gone')) }
    expect(await lastWarnings(silent, 'states', [of('volume')])).toEqual([])
  })
})
