/** What documents name is there: a file that moves takes its mentions along. */
import { readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../harness/process/package-root.js'

const rooms = ['harness', 'infra', 'scenarios', 'reports', '.config', '.github']
/** A path between backticks. A name alone may be that of a file which a run writes. */
const mention = /`((?:\.{0,2}\/)?[\w.-]+(?:\/[\w.-]+)+\.(?:ts|js|hbs|css|sh|ya?ml))`/g

it('at the path that stands there, from the document, from the top or from the room that it speaks of', async () => {
  const files = await Promise.all(
    rooms.map(async (room) =>
      (await readdir(join(packageRoot, room), { recursive: true })).map((file) => join(room, file)),
    ),
  )
  const all = new Set([...files.flat(), ...(await readdir(packageRoot))])
  const documents = [...all].filter((file) => file.endsWith('.md'))
  expect(documents.length).toBeGreaterThan(5)
  const missing: string[] = []
  for (const document of documents) {
    const text = await readFile(join(packageRoot, document), 'utf8')
    for (const [, path = ''] of text.matchAll(mention)) {
      const isThere =
        all.has(join(dirname(document), path)) ||
        all.has(path) ||
        (!path.startsWith('.') && [...all].some((file) => file.endsWith(`/${path}`)))
      if (!isThere) missing.push(`${document}: ${path}`)
    }
  }
  expect(missing).toEqual([])
})
