import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Component, UsageReading } from '../../../harness/model.js'
import type { Pod } from './api/pods.js'
import { recordedPod } from './testdata/recorded.js'
import { Changes } from './changes.js'
import { Components } from './usage/components.js'

const runFile = promisify(execFile)
const idOf = (letter: string) => letter.repeat(64)
const hop: Component = { name: 'a/hop', category: 'l7', node: 'client' }
const beside: Component = { name: 'a/echo', category: 'application', node: 'client' }
const spare: Component = { name: 'b/hop', category: 'l7', node: 'client' }

/** A pod of one container, whose cgroups are folders here and whose program is a process of this machine. */
describe('changes of a hop on a cluster', () => {
  let folder: string
  let program: ChildProcess
  let pod: Pod
  const usage = new Map<string, UsageReading>()

  const podWith = (letter: string, ready = true): Pod => {
    const recorded = recordedPod('ready', { name: 'hop-1', namespace: 'ns', nodeName: 'worker' })
    const [status] = recorded.status.containerStatuses ?? []
    const running = { ...status!, containerID: `containerd://${idOf(letter)}`, name: 'hop', ready }
    return {
      ...recorded,
      metadata: { ...recorded.metadata, labels: { app: 'hop' } },
      status: {
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
        containerStatuses: [running, { ...status!, name: 'echo', containerID: `containerd://${idOf('e')}` }],
      },
    }
  }
  const group = async (letter: string, pid: number) => {
    await mkdir(join(folder, idOf(letter)), { recursive: true })
    await writeFile(join(folder, idOf(letter), 'cgroup.procs'), `${pid}\n`)
  }
  const setUp = () => {
    const pods = {
      find: () => [pod],
      async waitFor(_: string, isDone: () => boolean) {
        while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 5))
      },
    }
    const components = new Components({
      pods: pods as never,
      usage: async () => usage,
      nodeFailure: () => undefined,
    })
    const own = { namespace: 'ns', podSelector: 'app=hop', container: 'hop' }
    components.bind(hop, own)
    components.bind(beside, { ...own, container: 'echo' })
    // Of the same program as another arm's hop: what is acted on runs elsewhere, as here where nothing does.
    components.bind(spare, own, { ...own, nodeName: 'elsewhere' })
    components.beginTrial()
    const changes = new Changes({
      components,
      pods,
      proxy: { patch: async () => {} },
      signal: new AbortController().signal,
      async onNode(node, [program = '', ...args]) {
        expect(node).toBe('worker')
        if (args.includes('-name')) return `/sys/fs/cgroup/pod/${idOf('a')}\n`
        const here = args.map((arg) => arg.replace('/sys/fs/cgroup/pod', folder))
        return (await runFile(program, here)).stdout
      },
    })
    return { components, changes }
  }
  const stateOf = async () => / ([A-Z]) /.exec(await readFile(`/proc/${program.pid}/stat`, 'utf8'))?.[1]
  /** The kernel carries a signal out when the process is next in turn. */
  const expectState = (state: string) => expect.poll(stateOf, { timeout: 10_000 }).toBe(state)

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meshbench-test-'))
    program = spawn('sleep', ['60'])
    pod = podWith('a')
    usage.clear()
    usage.set(idOf('a'), { cpuNs: 7, rssBytes: 70, source: 'cgroup', resolutionNs: 1 })
    await group('a', program.pid ?? 0)
  })
  afterEach(async () => {
    program.kill('SIGKILL')
    await rm(folder, { recursive: true })
  })

  it('stop it and let it go on', async () => {
    const { changes } = setUp()
    await changes.change(hop.name, { do: 'pause' })
    await expectState('T')
    await changes.change(hop.name, { do: 'resume' })
    await expectState('S')
  })

  it.each(['kill', 'stop'] as const)(
    'end it (%s), wait for what follows, and charge for both',
    async (how) => {
      const { components, changes } = setUp()
      const ended = new Promise((resolve) => program.once('exit', (_, signal) => resolve(signal)))
      let isOver = false
      const changing = changes.change(hop.name, { do: how }).then(() => (isOver = true))
      expect(await ended).toBe('SIGKILL')
      expect(changes.isDown(hop.name)).toBe(true)
      expect(isOver).toBe(false)
      await rm(join(folder, idOf('a')), { recursive: true })
      await group('b', 1)
      await changing
      pod = podWith('b', false)
      const starting = changes.change(hop.name, { do: 'start' })
      expect(components.health(hop.name)?.kind).toBe('hop-died')
      pod = podWith('b')
      await starting
      expect(changes.isDown(hop.name)).toBe(false)
      expect(components.health(hop.name)).toBeUndefined()
      usage.set(idOf('b'), { cpuNs: 5, rssBytes: 50, source: 'cgroup', resolutionNs: 1 })
      expect((await components.readUsage([hop]))[hop.name]).toMatchObject({ cpuNs: 12, rssBytes: 50 })
    },
  )

  it('act on what stands in for a spare one that is the arm’s own', async () => {
    const { changes } = setUp()
    await expect(changes.change(spare.name, { do: 'kill' })).rejects.toThrow('no container that runs')
    await expectState('S')
  })

  it('say what cannot be done', async () => {
    const { changes } = setUp()
    await expect(changes.change(hop.name, { do: 'scale', to: 2 })).rejects.toThrow('cannot do this: scale')
  })
})
