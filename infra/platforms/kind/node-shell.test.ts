import { spawn, type ChildProcess } from 'node:child_process'
import { Duplex, type Writable } from 'node:stream'
import type Docker from 'dockerode'
import { afterAll, describe, expect, it } from 'vitest'
import { nodeShells } from './node-shell.js'

/** An engine whose containers are shells of this machine. */
function shellsHere(timeoutMs?: number) {
  const opened: ChildProcess[] = []
  const undo: (() => Promise<void> | void)[] = []
  const engine = {
    getContainer: () => ({
      exec: async () => ({
        start: async () => {
          const child = spawn('sh')
          opened.push(child)
          return Object.assign(Duplex.from({ readable: child.stdout, writable: child.stdin }), { child })
        },
      }),
    }),
    modem: {
      demuxStream(stream: Duplex & { child: ChildProcess }, stdout: Writable, stderr: Writable) {
        stream.pipe(stdout)
        stream.child.stderr?.pipe(stderr)
      },
    },
  }
  const run = nodeShells(engine as unknown as Docker, { defer: (_, action) => undo.push(action) }, timeoutMs)
  return { run, opened, close: () => Promise.all(undo.map(async (action) => action())) }
}

describe('the shell of a node', () => {
  const here = shellsHere()
  afterAll(() => here.close())

  it('gives what each command writes, whatever is in it, through one shell for each node', async () => {
    const odd = `it's "odd" $HOME \\ \n and `
    const said = await Promise.all([
      here.run('a', ['printf', '%s', odd]),
      here.run('a', ['sh', '-c', 'echo "$1"; echo end-', 'sh', 'two']),
      here.run('b', ['true']),
    ])
    expect(said).toEqual([odd, 'two\nend-\n', ''])
    expect(here.opened).toHaveLength(2)
  })

  it('says how a command failed, goes on after it, and lets none read what is meant for the shell', async () => {
    const failing = here.run('a', ['sh', '-c', 'echo why >&2; exit 3'])
    const reading = here.run('a', ['cat'])
    await expect(failing).rejects.toMatchObject({ code: 3 })
    expect(await reading).toBe('')
  })

  it('is opened again when it was lost, and what ran in it fails', async () => {
    const running = here.run('c', ['sleep', '30'])
    const lost = expect(running).rejects.toMatchObject({ tail: 'its shell was lost' })
    const before = here.opened.length
    await expect.poll(() => here.opened.length).toBe(before + 1)
    here.opened.at(-1)?.kill('SIGKILL')
    await lost
    expect(await here.run('c', ['echo', 'again'])).toBe('again\n')
  })

  it('gives up a command without an end, and goes on in another shell', async () => {
    const impatient = shellsHere(200)
    await expect(impatient.run('d', ['sleep', '2'])).rejects.toMatchObject({ tail: 'no end after 200 ms' })
    expect(await impatient.run('d', ['echo', 'again'])).toBe('again\n')
    expect(impatient.opened).toHaveLength(2)
    await impatient.close()
  })
})
