import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { CommandError } from '../model/errors.js'
import { findProgram, run, runIdVariable, start } from './exec.js'
import { fingerprint } from './probes/fingerprint.js'

const node = process.execPath

/** A process that has ended may stay a zombie until somebody reaps it. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}

test('a command is run to its end and its output returned', async () => {
  const result = await run([node, '-e', 'process.stdin.pipe(process.stdout); console.error("side")'], {
    input: 'hello',
  })
  expect(result).toEqual({ code: 0, stdout: 'hello', stderr: 'side\n' })
})

test('a process of a run inherits no preload, inspector or limit of its caller', async () => {
  const code =
    'console.log(process.env.NODE_OPTIONS, process.env.GOMAXPROCS, process.env.PATH !== undefined); process.exit()'
  const before = { ...process.env }
  Object.assign(process.env, { NODE_OPTIONS: '--no-warnings', GOMAXPROCS: '1' })
  try {
    const lines: string[] = []
    for await (const line of start({ argv: [node, '-e', code] }, { runId: 'clean' }).lines) lines.push(line)
    expect(lines).toEqual(['undefined undefined true'])
  } finally {
    process.env = before
  }
})

test('variables that change programs and must stay are recorded with the host', () => {
  const before = { ...process.env }
  Object.assign(process.env, { SSL_CERT_FILE: '/own.pem', NODE_OPTIONS: '--no-warnings', HOME: '/nowhere' })
  try {
    expect(fingerprint({}).environment).toMatchObject({ SSL_CERT_FILE: '/own.pem' })
    expect(Object.keys(fingerprint({}).environment ?? {})).not.toContain('HOME')
    // This one no child inherits.
    expect(Object.keys(fingerprint({}).environment ?? {})).not.toContain('NODE_OPTIONS')
  } finally {
    process.env = before
  }
})

test('a command that fails tells its exit code and the end of its output', async () => {
  const failing = run([node, '-e', 'console.error("the reason"); process.exit(3)'])
  await expect(failing).rejects.toThrow(CommandError)
  await expect(failing).rejects.toMatchObject({ code: 3, tail: 'the reason\n' })
})

test('a program that is not there is an error, not a crash', async () => {
  await expect(run(['/nowhere/program'])).rejects.toMatchObject({ code: 127 })
  await expect(start({ argv: ['/nowhere/program'] }).exited).resolves.toMatchObject({ code: 127 })
})

test('a command that takes too long is ended', async () => {
  await expect(run([node, '-e', 'setInterval(() => {}, 1000)'], { timeoutMs: 200 })).rejects.toThrow(
    'no end after 200 ms',
  )
})

test('a started command streams lines, reads input, and carries its run id', async () => {
  const running = start(
    {
      argv: [
        node,
        '-e',
        `console.log(process.env.${runIdVariable}); process.stdin.once('data', (d) => { console.log('got ' + d); process.exit(0) })`,
      ],
    },
    { runId: 'run-1' },
  )
  const lines: string[] = []
  for await (const line of running.lines) {
    lines.push(line)
    if (line === 'run-1') running.write('go')
  }
  expect(lines).toEqual(['run-1', 'got go'])
  await expect(running.exited).resolves.toMatchObject({ code: 0 })
})

test('killing a command ends what it started, too', async () => {
  const child = `require('node:child_process').spawn(process.execPath, ['-e', 'console.log(process.pid); setInterval(() => {}, 1000)'], { stdio: 'inherit' }); setInterval(() => {}, 1000)`
  const running = start({ argv: [node, '-e', child] })
  let grandchild = 0
  for await (const line of running.lines) {
    grandchild = Number(line)
    running.kill('SIGKILL')
  }
  await running.exited
  // The kernel ends the rest of the group after the process whose end was awaited.
  await vi.waitFor(() => expect(isRunning(grandchild)).toBe(false), 5000)
})

test('a command that is started after the interrupt is ended at once, and so is one that is run', async () => {
  const argv = [node, '-e', 'setInterval(() => {}, 1000)']
  const signal = AbortSignal.abort()
  const running = start({ argv }, { signal })
  try {
    await expect(running.exited).resolves.toMatchObject({ signal: 'SIGKILL' })
  } finally {
    running.kill('SIGKILL')
  }
  await expect(run(argv, { signal, timeoutMs: 10_000 })).rejects.toThrow('interrupted')
})

/** Ends at once, and leaves a process behind that has its number written: with its own output, or with none. */
const leaving = (stdio: string) =>
  `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: '${stdio}' }); console.log(child.pid); child.unref()`

test.each(['inherit', 'ignore'])(
  'what outlives its parent (output: %s) is ended with its group',
  async (stdio) => {
    const running = start({ argv: [node, '-e', leaving(stdio)] })
    const lines = running.lines[Symbol.asyncIterator]()
    const left = Number((await lines.next()).value)
    try {
      await vi.waitFor(() => expect(isRunning(running.pid as number)).toBe(false), 5000)
      // Of a child that was reaped Node knows the exit code.
      await vi.waitFor(() => {
        running.kill('SIGKILL')
        expect(isRunning(left)).toBe(false)
      }, 5000)
    } finally {
      if (isRunning(left)) process.kill(left, 'SIGKILL')
    }
  },
)

test('programs are found on the PATH', async () => {
  await expect(findProgram('node')).resolves.toMatch(/node$/)
  await expect(findProgram('no-such-program-anywhere')).resolves.toBeUndefined()
})
