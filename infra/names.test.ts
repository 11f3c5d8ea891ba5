/** Nobody asks for a mesh or a platform by its name: what is particular to one, it declares. */
import { readFile, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../harness/process/package-root.js'
import { meshes } from './meshes/index.js'
import { platforms } from './platforms/index.js'

const known = [...Object.keys(meshes), ...Object.keys(platforms)]
/** With what several have in front of their mode: `cilium`, `istio`. */
const names = [...new Set(known.flatMap((name) => [name, name.split('-')[0] ?? name]))].map((name) =>
  name.replaceAll('+', '\\+'),
)
/** A comparison with a name, whichever way it is written. `none` is a word of many unions, and stands for no mesh there. */
const questions = new RegExp(
  `(?:[!=]==|\\b(?:startsWith|endsWith|includes|has)\\(|\\bcase) *'(?:${names.filter((name) => name !== 'none').join('|')})(?:'|[-/])`,
)

/** Its own folder, what is no part of the product, and what speaks of programs that have these names, too. */
const exempt =
  /^infra\/(?:images|meshes\/(?:cilium|envoy|finagle|haproxy|istio|kernel|nginx|reference)|platforms\/(?:docker|kind|kubernetes|local))\/|\btest(?:ing|data)\b|\.i?test\.ts$|\/lab\//

it('outside of its folder and the registries', async () => {
  const asked: string[] = []
  for (const room of ['harness', 'infra', 'scenarios', 'reports']) {
    for (const entry of await readdir(join(packageRoot, room), { recursive: true, withFileTypes: true })) {
      const file = relative(packageRoot, join(entry.parentPath, entry.name))
      if (!file.endsWith('.ts') || exempt.test(file)) continue
      const lines = (await readFile(join(packageRoot, file), 'utf8')).split('\n')
      lines.forEach((line, index) => {
        if (questions.test(line)) asked.push(`${file}:${index + 1}: ${line.trim()}`)
      })
    }
  }
  expect(asked).toEqual([])
})

it('finds such questions', () => {
  for (const line of [
    "mesh === 'cilium'",
    "mesh.startsWith('istio-')",
    "case 'kind':",
    "names.includes('envoy')",
  ])
    expect(line).toMatch(questions)
  expect("kind: 'image'").not.toMatch(questions)
})
