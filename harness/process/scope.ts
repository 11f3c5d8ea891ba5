/** Undoes what a run did, last first, on success, failure and interrupt. */
import { messageOf } from '../model/errors.js'
import type { Scope } from '../model.js'
import { defined } from '../model/defined.js'

/** Longest time that one undo may take before the next is tried. */
const undoTimeoutMs = 60_000

/** A scope and the means to end it. */
export interface OpenScope extends Scope {
  /** Undoes everything, last first; returns what could not be undone, never throws. */
  close(): Promise<readonly string[]>
}

export function openScope(options: {
  runId: string
  stateDir: string
  signal: AbortSignal
  evidenceDir?: string
}): OpenScope {
  const undos: { title: string; undo: () => Promise<void> | void }[] = []
  return {
    ...options,
    defer: (title, undo) => void undos.push({ title, undo }),
    async close() {
      const problems: string[] = []
      for (let entry = undos.pop(); entry; entry = undos.pop()) {
        try {
          await withTimeout(Promise.resolve(entry.undo()), undoTimeoutMs)
        } catch (error) {
          problems.push(`${entry.title}: ${messageOf(error)}`)
        }
      }
      return problems
    },
  }
}

/** A part of a scope that can be closed early; what is left of it is closed with its parent. */
export function childScope(parent: Scope, title: string): OpenScope {
  const { runId, stateDir, signal, evidenceDir } = parent
  const child = openScope({ runId, stateDir, signal, ...defined({ evidenceDir }) })
  parent.defer(title, async () => {
    const problems = await child.close()
    if (problems.length > 0) throw new Error(problems.join('; '))
  })
  return child
}

async function withTimeout(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not undone after ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
