/** Programs that stand in for kubectl and helm where what they are asked is the question. */
import { join } from 'node:path'
import { run } from '../../../../harness/process/exec.js'

/** What another process writes no process of ours has open: one that is being started just then would keep it from being run (ETXTBSY). */
const writer = "require('node:fs').writeFileSync(process.argv[1], process.argv[2], { mode: 0o755 })"

/** Path of a program in `folder` that runs a shell's script; the script needs no other program. */
export async function fakeProgram(folder: string, name: string, script: string): Promise<string> {
  const path = join(folder, name)
  await run([process.execPath, '-e', writer, path, `#!/bin/sh\n${script}\n`])
  return path
}
