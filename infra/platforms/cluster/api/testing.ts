/** Programs that stand in for kubectl and helm where what they are asked is the question. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Path of a program in `folder` that runs a shell's script; the script needs no other program. */
export async function fakeProgram(folder: string, name: string, script: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return path
}
